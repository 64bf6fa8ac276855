import { show } from "@/common/page";
import { Admin } from "./Admin";

show(<Admin />);

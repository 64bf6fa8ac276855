import { show } from "@/common/page";
import { Front } from "./Front";

show(<Front />);

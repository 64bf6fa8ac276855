import { show } from "@/common/page";
import { SelfService } from "./SelfService";

show(<SelfService />);

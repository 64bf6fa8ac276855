import { show } from "@/common/page";
import { Verify } from "./Verify";

show(<Verify />);

import { show } from "@/common/page";
import { SealClient } from "./SealClient";

show(<SealClient />);

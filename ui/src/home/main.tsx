import { show } from "@/common/page";
import { Home } from "./Home";

show(<Home />);

// Back to the login when the gateway no longer knows who this is.
import { useEffect } from "react";
import { SESSION_OVER } from "./ask";

/** `over` must not change from one rendering to the next. */
export function useSessionOver(over: () => void): void {
  useEffect(() => {
    window.addEventListener(SESSION_OVER, over);
    return () => window.removeEventListener(SESSION_OVER, over);
  }, [over]);
}

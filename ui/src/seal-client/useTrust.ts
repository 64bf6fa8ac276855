// Whom the seals of the file are from: the gateway is asked, again for each state of the file.
import { useEffect, useState } from "react";
import { api, wordsOf, type Trust } from "./api";

/** null while it is asked, and for a file without signatures. */
export function useTrust(sm3: string, count: number): Trust | null {
  const [said, setSaid] = useState<{ sm3: string; trust: Trust } | null>(null);
  useEffect(() => {
    if (count === 0) return;
    let current = true;
    api.trust().then(
      (trust) => current && setSaid({ sm3, trust }),
      (error: unknown) => current && setSaid({ sm3, trust: { words: `是否可信没有判断：${wordsOf(error)}`, missing: true, verdicts: [] } }),
    );
    return () => {
      current = false;
    };
  }, [sm3, count]);
  return said?.sm3 === sm3 ? said.trust : null;
}

// Where the pieces of the paging seal will be: said by the service, which also makes them.
import { useEffect, useState } from "react";
import { api, wordsOf, type Paging, type Piece, type SealInfo } from "./api";

const NONE: Piece[] = [];

export function usePieces(seal: SealInfo | null, paging: Paging | null, sm3: string) {
  const [said, setSaid] = useState<{ pieces: Piece[]; problem: string }>({ pieces: NONE, problem: "" });
  useEffect(() => {
    if (seal === null || paging === null) return;
    let current = true;
    const later = setTimeout(() => {
      api.plan(seal.id, { points: [], paging }).then(
        (pieces) => current && setSaid({ pieces, problem: "" }),
        (error: unknown) => current && setSaid({ pieces: NONE, problem: wordsOf(error) }),
      );
    }, 150);
    return () => {
      current = false;
      clearTimeout(later);
    };
  }, [seal, paging, sm3]);
  return seal === null || paging === null ? { pieces: NONE, problem: "" } : said;
}

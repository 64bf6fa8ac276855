// The doctor's documents, as the service lists them (annex 7, rows 13 and 14).
import { useQuery } from "@tanstack/react-query";
import { call, type Job } from "./api.ts";
import { useSession } from "./app.tsx";

/** How many documents wait to be signed. */
export function useWaiting(): number {
  return useListed("number", "UNSIGN", "").data?.jobs.length ?? 0;
}

/** Documents of a state, of which the title has `search` in it. */
export function useJobs(state: string, search: string) {
  return useListed("list", state, search);
}

/** Under the key "jobs", for who changes one. What was known for the number is not shown as the list. */
function useListed(use: "number" | "list", state: string, search: string) {
  const { service, token } = useSession().session;
  return useQuery({
    queryKey: ["jobs", use, token, search, state],
    queryFn: () => call<{ jobs: Job[] }>(service, "jobs", { token, state, ...(search === "" ? {} : { search }) }),
    gcTime: 0, // who comes back reads anew: what was signed or refused meanwhile must not be offered again
  });
}

// The doctor's documents, as the service lists them (annex 7, rows 13 and 14).
import { useQuery } from "@tanstack/react-query";
import { call, type Job } from "./api.ts";
import { useSession } from "./app.tsx";

type Found = { jobs: Job[] };

/** How many documents wait. Apart from the list: whoever opens that sees it read, and not what was known for this number. */
export function useWaiting(): number {
  const { service, token } = useSession().session;
  const query = useQuery({
    queryKey: ["jobs", "waiting", token],
    queryFn: () => call<Found>(service, "jobs", { token, state: "UNSIGN" }),
    gcTime: 0,
  });
  return query.data?.jobs.length ?? 0;
}

/** Documents of a state: those to be signed when none is named. Under the key "jobs", for who changes one. */
export function useJobs(state = "UNSIGN", search = "") {
  const { service, token } = useSession().session;
  return useQuery({
    queryKey: ["jobs", token, search, state],
    queryFn: () => call<Found>(service, "jobs", { token, state, ...(search === "" ? {} : { search }) }),
    gcTime: 0, // who comes back reads anew: what was signed or refused meanwhile must not be offered again
  });
}

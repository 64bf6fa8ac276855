// The doctor's documents, as the service lists them (annex 7, rows 13 and 14).
import { useQuery } from "@tanstack/react-query";
import { call, type Job } from "./api.ts";
import { useSession } from "./app.tsx";

/** Documents of a state: those to be signed when none is named. Under the key "jobs", for who changes one. */
export function useJobs(state = "UNSIGN", search = "") {
  const { service, token } = useSession().session;
  return useQuery({
    queryKey: ["jobs", token, search, state],
    queryFn: () => call<{ jobs: Job[] }>(service, "jobs", { token, state, ...(search === "" ? {} : { search }) }),
    gcTime: 0, // who comes back reads anew: what was signed or refused meanwhile must not be offered again
  });
}

// Who is signed in. One value, read with useSession(); views below the gate can rely on it.
import { QueryCache, QueryClient, useQuery, useQueryClient } from "@tanstack/react-query";
import { ApiError } from "../api/client";
import { get_session } from "../api/session";
import type { Session } from "../api/types";

/** The server says that nobody is signed in any more: the page asks to sign in, at the same address. */
export function sign_out_here(client: QueryClient, error: unknown): void {
  if (error instanceof ApiError && error.status === 401) client.setQueryData(kSessionKey, null);
}

export const make_query_client = (): QueryClient => {
  const client: QueryClient = new QueryClient({
    queryCache: new QueryCache({ onError: (error) => sign_out_here(client, error) }),
    defaultOptions: {
      queries: {
        staleTime: 10_000,
        refetchOnWindowFocus: true,
        retry: (failures, error) =>
          failures < 3 && (!(error instanceof ApiError) || error.status === 0 || error.status >= 500),
        retryDelay: (failures) => Math.min(500 * 2 ** failures, 5000),
      },
    },
  });
  return client;
};

export const kSessionKey = ["session"] as const;
export function useMaybeSession() {
  return useQuery({
    queryKey: kSessionKey,
    staleTime: 5 * 60_000,
    queryFn: async (): Promise<Session | null> => {
      try {
        return await get_session();
      } catch (error) {
        if (error instanceof ApiError && error.status === 401) return null;
        throw error;
      }
    },
  });
}
export function useSession(): Session {
  const session = useQueryClient().getQueryData<Session | null>(kSessionKey);
  if (!session) throw new Error("used above the gate");
  return session;
}
export function useCan(): (permission: string) => boolean {
  const { permissions } = useSession();
  return (permission) => permissions.includes(permission);
}

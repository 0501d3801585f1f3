/** A renewal by certificate of an identity that a service account has: nobody renews for one that is not there any more. */

import { AuthnError } from "../../../../core/identity/authn-error.ts";
import type { Caller } from "../../../../core/identity/caller.ts";
import { isPastDeletion } from "../../../../core/kube/kube-object.ts";
import type { KubeServiceAccount } from "../../../../core/kube/service-account.ts";
import { nameKey } from "../../../../core/resources/resource.ts";
import type { SpiffeId } from "../../../../core/spiffe/id.ts";
import type { Kube, KubeCaches } from "../kube.ts";

/** One for times in whole seconds, and one for the two clocks that say them. */
const clockSkewMs = 2_000;

interface AccountsView extends Pick<Kube, "isCurrent"> {
  readonly caches: Pick<KubeCaches, "accounts">;
}

/**
 * Nothing of a certificate says the account's UID; whoever joined by a token of ours never had one. An account that is younger than
 * that is another one, which has its name.
 * @throws AuthnError `renewal-revoked`, `identities-unavailable` while the watches are behind
 */
export function assertRenewedAccount(
  claimed: Caller,
  { caches, isCurrent }: AccountsView,
  nowMs: number,
): void {
  const account = accountOf(claimed.id);
  if (account === undefined) return;
  if (!isCurrent()) {
    const message = "the watches are behind: whether the service account exists is not known";
    throw new AuthnError("identities-unavailable", message, { claimed });
  }
  const found = caches.accounts.cache.find(account.namespace, account.name);
  const isThere = found !== undefined && !isPastDeletion(found, nowMs);
  if (isThere && !isYounger(found, claimed)) return;
  const why = isThere ? "was made again since this one joined" : "does not exist";
  throw new AuthnError("renewal-revoked", `service account ${nameKey(account)} ${why}`, {
    claimed,
    hint: "make it again, and join again; or give the workload an identity outside of /ns/",
  });
}

/** Who joined at once after the account was made cannot be told from who joined before it, and has to join again. */
function isYounger({ createdMs }: KubeServiceAccount, { evidence }: Caller): boolean {
  if (evidence.method !== "certificate") return false;
  // Written so that an account which does not say when it was made is refused.
  return !(createdMs !== undefined && createdMs + clockSkewMs <= evidence.enrolledAtMs);
}

interface AccountName {
  readonly namespace: string;
  readonly name: string;
}

function accountOf({ path }: SpiffeId): AccountName | undefined {
  const [, ns, namespace = "", sa, name = "", ...rest] = path.split("/");
  return ns === "ns" && sa === "sa" && rest.length === 0 ? { namespace, name } : undefined;
}

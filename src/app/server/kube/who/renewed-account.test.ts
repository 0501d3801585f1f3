import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { AuthnError } from "../../../../core/identity/authn-error.ts";
import type { Caller } from "../../../../core/identity/caller.ts";
import { ObjectCache } from "../../../../core/kube/object-cache.ts";
import type { KubeServiceAccount } from "../../../../core/kube/service-account.ts";
import { SpiffeId } from "../../../../core/spiffe/id.ts";
import type { Kube } from "../kube.ts";
import { assertRenewedAccount } from "./renewed-account.ts";

const nowMs = 1_795_521_600_000;
const enrolledAtMs = nowMs - 3_600_000;

function codeOf(path: string, accounts: readonly KubeServiceAccount[], isCurrent = true): string {
  const cache = new ObjectCache<KubeServiceAccount>();
  for (const account of accounts) cache.set(account);
  const kube = { caches: { accounts: { cache } }, isCurrent: () => isCurrent };
  const caller: Caller = {
    id: SpiffeId.parse(`spiffe://cluster.local${path}`),
    expiresAtMs: Infinity,
    evidence: { method: "certificate", serialHex: "01", joinTokenId: "j", enrolledAtMs },
  };
  try {
    assertRenewedAccount(caller, kube as unknown as Kube, nowMs);
    return "renewed";
  } catch (error) {
    return (error as AuthnError).code;
  }
}

describe("a renewal by certificate in a cluster", () => {
  const createdMs = enrolledAtMs - 2_000;
  const account = { namespace: "shop", name: "cart", uid: "u-1", deletionMs: undefined, createdMs };
  const path = "/ns/shop/sa/cart";
  const table: readonly (readonly [
    string,
    string,
    readonly KubeServiceAccount[],
    boolean,
    string,
  ])[] = [
    ["passes while the account exists", path, [account], true, "renewed"],
    ["is refused when it does not", path, [], true, "renewal-revoked"],
    [
      "is refused when it should have been gone long ago",
      path,
      [{ ...account, deletionMs: nowMs - 60_001 }],
      true,
      "renewal-revoked",
    ],
    [
      "of another namespace's account is refused",
      "/ns/other/sa/cart",
      [account],
      true,
      "renewal-revoked",
    ],
    ["is for later while the watches are behind", path, [account], false, "identities-unavailable"],
    [
      "is refused when the account may have been made since, as far as two clocks can say",
      path,
      [{ ...account, createdMs: enrolledAtMs - 1_999 }],
      true,
      "renewal-revoked",
    ],
    [
      "is refused when the account does not say when it was made",
      path,
      [{ ...account, createdMs: undefined }],
      true,
      "renewal-revoked",
    ],
    [
      "is refused when the account was made again since",
      path,
      [{ ...account, createdMs: enrolledAtMs + 1_000 }],
      true,
      "renewal-revoked",
    ],
    ["passes where the identity is no account's", "/vm/1", [], false, "renewed"],
    ["passes where the identity only begins as one", `${path}/x`, [], true, "renewed"],
  ];
  for (const [title, of, accounts, isCurrent, expected] of table) {
    it(title, () => assert.equal(codeOf(of, accounts, isCurrent), expected));
  }
});

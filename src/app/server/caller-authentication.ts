/**
 * Who is calling, by whatever came with the call. What a credential is decides which one door it
 * goes to; no other one is tried when that door stays shut, and a call with a token is never asked
 * for its certificate.
 */

import { AuthnError } from "../../core/identity/authn-error.ts";
import type { Caller, CallerEvidence } from "../../core/identity/caller.ts";
import { callerOfRenewal, enrolmentOf } from "../../core/identity/enrolment.ts";
import { callerOfJoinToken, isJoinToken, joinTokenDigest } from "../../core/identity/join-token.ts";
import type { JwksEvent } from "../../edge/authn/jwks.ts";
import type { X5cAuthenticator } from "../../edge/authn/x5c-authenticator.ts";
import { hasX5c } from "../../edge/authn/x5c-jws.ts";
import type { ServerConfig } from "../../edge/config/server-config.ts";
import { CaCallError } from "../../edge/rpc/ca-status.ts";
import type { Peer } from "../../edge/rpc/peer.ts";
import type { Store, StoreMaker } from "../../edge/store/store.ts";
import { distrustedPeer, type IsDistrusted } from "./mesh/distrust.ts";
import { IssuerAuthentication } from "./issuer-authentication.ts";
import { KeySources } from "./key-sources.ts";
import type { Kube } from "./kube/kube.ts";
import { openX5cAuthentication, type X5cDependencies } from "./x5c-authentication.ts";

export interface Credential {
  /** The bearer token; undefined where the call has no authorization at all. */
  readonly token?: string | undefined;
  /** By the verified client certificate of the connection. */
  readonly peer?: Peer | undefined;
  /** Where the token came from, with its port; undefined where that is not its holder's own address. */
  readonly from?: string | undefined;
}

export interface CallerAuthentication extends Disposable {
  /** By which anybody can be let in; join tokens always, because an operator can make one. */
  readonly methods: readonly CallerEvidence["method"][];
  /**
   * By the token of an issuer: it may come again, and for anything.
   * @param from as of a credential @throws AuthnError; PendingCaller
   */
  authenticate(token: string, nowMs: number, from?: string): Caller;
  /**
   * A token for the admin API. @returns undefined where it is of another issuer than the cluster
   * @throws AuthnError
   */
  verifyOperator(token: string, nowMs: number): Caller | undefined;
  /**
   * By whatever gets a certificate. What counts once is used up by this, so it is asked once for
   * each request. @throws AuthnError; PendingCaller
   */
  authenticateCredential(credential: Credential, nowMs: number): Caller;
  /**
   * For whoever asks for another's identity.
   * @returns the caller in whose name a certificate is made
   * @throws CaCallError `impersonation-refused`; AuthnError; PendingCaller
   */
  impersonate(caller: Caller, requested: string, nowMs: number): Caller;
  /** Trust may change while a request waits. @throws PeerError for a peer that is believed no more */
  assertPeer(credential: Credential): void;
  /** Nor need the caller be there any more: what is known to be gone. @throws AuthnError, CaCallError as at the door */
  assertNotGone(caller: Caller, nowMs: number): void;
  /** Must come before the reply, which must not leave when this fails. @throws AuthnError */
  recordIssued(
    caller: Caller,
    issued: { readonly serialHex: string; readonly notAfterMs: number },
  ): void;
  /** Forgets join tokens and enrolments that are over. Never throws. */
  prune(nowMs: number): void;
  /** Never rejects. @returns whether it is worth to authenticate again */
  refreshKeys(): Promise<boolean>;
  /**
   * Another one by another configuration. Keys of issuers that both name are shared, and not read
   * again; each is disposed of by itself.
   * @throws JwksError, ConfigError
   */
  reopen(config: ServerConfig): Promise<CallerAuthentication>;
}

export interface IdentityDependencies extends X5cDependencies {
  readonly store: Pick<Store, "joinTokens" | "enrolments">;
  readonly isDistrusted: IsDistrusted;
  /** The cluster that the server is in. */
  readonly kube: Kube | undefined;
  /** The wall clock. */
  readonly nowMs: () => number;
}

/** @throws JwksError, ConfigError when a server is told to believe `dev`'s tokens or its own root */
export async function openCallerAuthentication(
  config: ServerConfig,
  maker: StoreMaker,
  onEvent: (event: JwksEvent, issuer: string) => void,
  signal: AbortSignal,
  others: IdentityDependencies,
): Promise<CallerAuthentication> {
  const sources = new KeySources();
  const open = async (config: ServerConfig): Promise<CallerAuthentication> => {
    const x5c = await openX5cAuthentication(config, others);
    const { store, isDistrusted, kube, nowMs } = others;
    const shared = { config, maker, onEvent, signal, sources, kube, nowMs };
    const issuers = await IssuerAuthentication.open(shared);
    const mayRenew = config.renewByCertificate;
    const cluster = kube && (await clusterDoors(kube, config, nowMs));
    const doors: Doors = { issuers, x5c, store, isDistrusted, mayRenew, cluster };
    return {
      methods: methodsOf(config),
      authenticate: (token, nowMs, from) => issuers.authenticate(token, nowMs, from),
      verifyOperator: (token, nowMs) => issuers.verifyOperator(token, nowMs),
      authenticateCredential: (credential, nowMs) => authenticate(credential, doors, nowMs),
      impersonate: (caller, requested, nowMs) => {
        if (cluster !== undefined) return cluster.nodes.grant(caller, requested, nowMs);
        throw new CaCallError("impersonation-refused", "no account may impersonate");
      },
      assertPeer: (credential) => assertPeer(credential.peer, doors),
      assertNotGone: (caller, nowMs) => cluster?.assertNotGone(caller, nowMs),
      recordIssued: (caller, issued) => {
        const enrolment = enrolmentOf(caller, issued);
        if (enrolment !== undefined) useStore(doors, ({ enrolments }) => enrolments.add(enrolment));
      },
      prune: (nowMs) => prune(doors, nowMs),
      refreshKeys: () => issuers.refreshKeys(),
      reopen: open,
      [Symbol.dispose]: () => issuers[Symbol.dispose](),
    };
  };
  return await open(config);
}

function methodsOf(config: ServerConfig): CallerAuthentication["methods"] {
  const table = [
    ["jwt", config.tokenIssuer !== undefined || config.kubernetes !== "off"],
    ["oidc", config.identities.oidc.length > 0],
    ["x5c", config.identities.x5c.length > 0],
    ["join-token", true],
    ["certificate", config.renewByCertificate],
  ] as const;
  return table.flatMap(([method, isOn]) => (isOn ? [method] : []));
}

interface Doors {
  readonly issuers: IssuerAuthentication;
  readonly x5c: X5cAuthenticator | undefined;
  readonly store: IdentityDependencies["store"];
  readonly isDistrusted: IdentityDependencies["isDistrusted"];
  readonly mayRenew: boolean;
  readonly cluster: Awaited<ReturnType<typeof clusterDoors>> | undefined;
}

/** A server in no cluster loads nothing of it. */
async function clusterDoors(kube: Kube, config: ServerConfig, nowMs: () => number) {
  const [{ nodeImpersonation }, { assertRenewedAccount }, { assertNotGone }] = await Promise.all([
    import("./kube/who/kube-identities.ts"),
    import("./kube/who/renewed-account.ts"),
    import("./kube/who/gone-caller.ts"),
  ]);
  return {
    nodes: nodeImpersonation({ kube, config, nowMs }),
    assertRenewed: (caller: Caller, nowMs: number) => assertRenewedAccount(caller, kube, nowMs),
    assertNotGone: (caller: Caller, nowMs: number) => assertNotGone(caller, kube, nowMs),
  };
}

function authenticate({ token, peer, from }: Credential, doors: Doors, nowMs: number): Caller {
  if (token === undefined) return renew(peer, doors, nowMs);
  if (isJoinToken(token)) {
    const digest = joinTokenDigest(token);
    const grant = useStore(doors, ({ joinTokens }) => joinTokens.take(digest));
    return callerOfJoinToken(grant, nowMs);
  }
  if (doors.x5c !== undefined && hasX5c(token)) return doors.x5c.authenticate(token, nowMs);
  return doors.issuers.authenticate(token, nowMs, from);
}

function renew(peer: Peer | undefined, doors: Doors, nowMs: number): Caller {
  if (peer === undefined) {
    throw new AuthnError("token-missing", "the call has no authorization metadata");
  }
  if (!doors.mayRenew) {
    const message = `${peer.id.toString()} brought no token: certificates.renewByCertificate is off`;
    throw new AuthnError("renewal-off", message, { hint: "set it to true, or bring a token" });
  }
  assertPeer(peer, doors);
  const enrolment = useStore(doors, ({ enrolments }) => enrolments.find(peer.serialHex));
  const caller = callerOfRenewal(peer, enrolment, nowMs);
  doors.cluster?.assertRenewed(caller, nowMs);
  return caller;
}

function assertPeer(peer: Peer | undefined, { isDistrusted }: Doors): void {
  if (peer !== undefined && isDistrusted(peer)) throw distrustedPeer(peer);
}

function prune(doors: Doors, nowMs: number): void {
  try {
    useStore(doors, ({ joinTokens, enrolments }) => {
      joinTokens.prune(nowMs);
      enrolments.prune(nowMs);
    });
  } catch {
    // Nothing that is over counts while it is there. Whoever needs the store is told.
  }
}

/** @throws AuthnError `identities-unavailable`: whoever cannot be looked up is nobody */
function useStore<T>({ store }: Doors, use: (store: IdentityDependencies["store"]) => T): T {
  try {
    return use(store);
  } catch (cause) {
    const message = "the store of join tokens and enrolments cannot be used";
    throw new AuthnError("identities-unavailable", message, { cause });
  }
}

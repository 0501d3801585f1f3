/**
 * `envoy.service.auth.v3.Authorization`: the answer of the mesh's policy for Envoys whose listeners are not ours. Whatever cannot be
 * answered is denied, and never an error: an Envoy that lets callers in on errors (`failure_mode_allow`) has to hear a no.
 */

import type { Metadata, sendUnaryData, Server, ServerUnaryCall } from "@grpc/grpc-js";
import { decideAuthz } from "../../../core/policy/authz-decision.ts";
import type { Labels } from "../../../core/resources/resource.ts";
import type { SpiffeId } from "../../../core/spiffe/id.ts";
import { addService } from "../../../edge/rpc/service-definition.ts";
import {
  Authorization,
  type CheckRequest,
  type CheckResponse,
} from "../../../gen/envoy/service/auth/v3/external_auth_pb.ts";
import type { SecretChannel } from "../secret-channel.ts";
import type { FindPeer } from "../xds-calls.ts";
import type { Denial, DenialReason, ExtAuthzEvents } from "./ext-authz-events.ts";
import { allowed, authzQuestion, denied } from "./ext-authz-message.ts";
import { ExtAuthzUsers } from "./ext-authz-users.ts";
import type { PolicyFeed } from "./policy-feed.ts";
import type { PolicyOwner } from "./policy-owner.ts";

export interface ExtAuthzOptions {
  readonly feed: PolicyFeed;
  readonly findPeer: FindPeer;
  /** Whether a proxy's name is to be told with its workload's. */
  readonly namesWorkload: boolean;
  readonly events: ExtAuthzEvents;
  readonly nowMs: () => number;
}

type CheckCall = ServerUnaryCall<CheckRequest, CheckResponse>;
type Answer = { readonly kind: "allow" } | ({ readonly kind: "deny" } & Denial);

/** Of Envoy's `GrpcService.initial_metadata`. */
const nodeIdHeader = "x-portcullis-node-id";
/** Within the 200 ms that Envoy waits by default. */
const firstPolicyMs = 150;

const texts: Readonly<Record<DenialReason, string>> = {
  "no-policy": "there is no policy for this port yet",
  "no-identity": "this port takes mTLS only",
  "foreign-identity": "this port takes workloads of its own mesh only",
  malformed: "the question names no port",
  "unknown-workload": "the agent does not know whose proxy asks",
  "unnamed-proxy": `the proxy does not say which it is: ${nodeIdHeader}`,
  "too-many-proxies": "too many proxies ask",
  "not-decided": "the agent cannot decide",
};

export class ExtAuthzService implements Disposable {
  readonly #options: ExtAuthzOptions;
  readonly #users: ExtAuthzUsers;

  constructor(options: ExtAuthzOptions) {
    this.#options = options;
    this.#users = new ExtAuthzUsers(options.feed, options.nowMs);
  }

  addTo(server: Server): void {
    addService(server, Authorization, {
      check: (call: CheckCall, reply: sendUnaryData<CheckResponse>) =>
        void this.#check(call, reply),
    });
  }

  [Symbol.dispose](): void {
    this.#users[Symbol.dispose]();
  }

  async #check(
    { request, metadata }: CheckCall,
    reply: sendUnaryData<CheckResponse>,
  ): Promise<void> {
    const answer = await this.#answer(request, metadata).catch((error: unknown) =>
      deny("not-decided", { error }),
    );
    if (answer.kind === "allow") return reply(null, allowed);
    this.#options.events.denied(answer);
    reply(null, denied(request, texts[answer.reason]));
  }

  async #answer(request: CheckRequest, metadata: Metadata): Promise<Answer> {
    const { findPeer, namesWorkload } = this.#options;
    const question = authzQuestion(request);
    const peer = findPeer(metadata);
    const id = "code" in peer ? undefined : knownId(peer.owner);
    const who = { ...question, spiffeId: id?.toString(), proxyId: undefined };
    if (question === undefined) return deny("malformed", who);
    if ("code" in peer || id === undefined) return deny("unknown-workload", who);
    const proxy = proxyOf(metadata, peer.channel);
    if (proxy === undefined) return deny("unnamed-proxy", who);
    const { proxyId, labels } = proxy;
    const spiffeId = namesWorkload ? id.toString() : undefined;
    const user = this.#users.find({ proxyId, spiffeId }, labels);
    if (user === undefined) return deny("too-many-proxies", { ...who, proxyId });
    const policy = await user.policy(firstPolicyMs);
    const decision = decideAuthz(policy?.modes, question, id.trustDomain);
    if (decision.kind === "allow") return decision;
    return deny(decision.reason, { ...who, proxyId });
  }
}

function deny(reason: DenialReason, who: Partial<Denial>): Answer {
  const { spiffeId, proxyId, port, principal, error } = who;
  return { kind: "deny", reason, spiffeId, proxyId, port, principal, error };
}

function knownId(owner: PolicyOwner): SpiffeId | undefined {
  let known: SpiffeId | undefined;
  const stop = owner.whenKnown((id) => (known = id));
  stop();
  return known;
}

/** The one that it says it is; else the only one of this workload that takes its certificates here. */
function proxyOf(
  metadata: Metadata,
  { streams }: SecretChannel,
): { readonly proxyId: string; readonly labels: Labels } | undefined {
  const said = metadata.get(nodeIdHeader).map(String).join();
  // HTTP/2 joins what was said twice.
  if (said.includes(",")) return undefined;
  const nodes = new Map<string, Labels>();
  for (const { subscriber } of streams) {
    const { id, labels = new Map<string, string>() } = subscriber.node ?? {};
    if (id !== undefined) nodes.set(id, labels);
  }
  const [only = "", ...others] = nodes.keys();
  const proxyId = said === "" && others.length === 0 ? only : said;
  if (proxyId === "") return undefined;
  return { proxyId, labels: nodes.get(proxyId) ?? new Map() };
}

/**
 * A world for one claim: whatever breaks, the server knows all that an Envoy may be doing, or knows that it does not. Envoy, wires and disk
 * are simulated; what the agent says and what the server makes of it is production's.
 */

import { FedProxy } from "../../src/app/agent/policy/fed-proxy.ts";
import { receivePolicy, type ReceivedPolicy } from "../../src/app/agent/policy/kept-policy.ts";
import type { OpenPolicy } from "../../src/app/agent/policy/policy-feed.ts";
import { PolicyReporter } from "../../src/app/agent/policy/policy-reporter.ts";
import type { Session } from "../../src/app/server/mesh/mesh-session.ts";
import { digestOfPolicy } from "../../src/app/server/policy/encoded-policies.ts";
import { PolicyProxies } from "../../src/app/server/policy/policy-proxies.ts";
import type { ProxyPolicy } from "../../src/core/policy/proxy-policy.ts";
import { Rollout } from "../../src/core/policy/rollout.ts";
import {
  afterReport,
  possiblePolicies,
  unheard,
  type ProxyState,
} from "../../src/core/policy/rollout-proxy.ts";
import { encodePolicy } from "../../src/edge/rpc/policy-messages.ts";
import { parsePolicyReport } from "../../src/edge/rpc/policy-report-messages.ts";
import type { ConnectRequest } from "../../src/gen/portcullis/mesh/v1/mesh_pb.ts";
import { policyOf } from "./proxy-policies.ts";

const policies: readonly ProxyPolicy[] = [1, 2, 3, 4, 5].map((port) => policyOf("strict", port));
const reporter = { spiffeId: "spiffe://td/ns/a/sa/b", agentId: "agent-1" };
const name = { proxyId: "proxy-1", spiffeId: undefined };

/** It takes what it is given part by part: of all since the last that it has taken whole, parts may be in force. */
class Envoy {
  readonly doing: Set<string> = new Set<string>();
  /** Given on its newest stream. */
  given: string[] = [];
  stream: OpenPolicy | undefined;
  #isWithin = false;

  /** It brings no versions along. */
  get isFresh(): boolean {
    return this.doing.size === 0;
  }

  open(proxy: FedProxy): OpenPolicy {
    this.given = [];
    this.#isWithin = false;
    const given: string[] = this.given;
    const stream = proxy.open({
      proxy: name,
      labels: new Map(),
      hasListeners: true,
      isFresh: this.isFresh,
      onPolicy: ({ digest }) => void given.push(digest),
    });
    if (stream.given !== undefined) given.push(stream.given.digest);
    this.stream = stream;
    return stream;
  }

  restart(): void {
    this.doing.clear();
    this.stream = undefined;
  }

  begin(): void {
    const [digest] = this.given;
    if (digest === undefined || this.stream === undefined) return;
    this.#isWithin = true;
    this.doing.add(digest);
  }

  /** @param isSilent the answer is not passed on: another has been given since */
  answer(isAck: boolean, isSilent: boolean): void {
    const { given, stream } = this;
    const [digest] = given;
    if (digest === undefined || stream === undefined) return;
    if (!this.#isWithin) this.begin();
    this.#isWithin = false;
    given.shift();
    if (isAck) this.doing.clear();
    this.doing.add(digest);
    // An ADS stream acknowledges what it was given last once nothing else is on its way (`core/xds/policy-push`).
    if ((isSilent && given.length > 0) || (isAck && given.includes(digest))) return;
    if (isAck) stream.acked(digest);
    else stream.nacked({ digest, detail: "no", resources: [] });
  }
}

class Wire {
  readonly up: ConnectRequest[] = [];
  readonly down: Uint8Array[] = [];
  readonly reporter = new PolicyReporter();
  readonly session = { peer: { id: reporter.spiffeId } } as unknown as Session;
}

export class World {
  readonly envoy: Envoy = new Envoy();
  readonly streams: OpenPolicy[] = [];
  /** The agent's, in memory and on the disk. */
  #stored: ReceivedPolicy | undefined;
  #disk: ReceivedPolicy | undefined;
  /** Ends the waiting of one that has begun anew. */
  #silence: (() => void) | undefined;
  #hasAsked = false;
  /** When it was last looked at. */
  #wasUnsure = false;
  /** How often it was given the last good one though the server was told that it has nothing, and of how many of these it has heard. */
  #alone = 0;
  #heardAlone = 0;
  /** Of how many the server hears by it. */
  #news = new WeakMap<ConnectRequest, number>();
  #proxy = this.#newProxy();
  #wire: Wire | undefined;
  /** Those that have ended, and the server has not noticed. */
  #ended: Wire[] = [];
  #desired: ProxyPolicy | undefined;
  #rollout = new Rollout();
  #proxies = this.#newProxies();
  /** As the rollout has it. */
  state: ProxyState = unheard("");

  // The agent

  #newProxy(): FedProxy {
    const proxy: FedProxy = new FedProxy({
      name,
      good: this.#stored,
      onGood: () => {},
      keep: (policy) => {
        // A first one is given before it is on the disk: that an agent is killed within these milliseconds is left out.
        const isFirst = this.#stored === undefined || proxy.state?.proxy.applied === undefined;
        this.#stored = policy;
        if (isFirst) this.write();
      },
      drop: () => {
        this.#stored = undefined;
        this.#disk = undefined;
      },
      onRefused: () => {},
      awaitServer: (onSilence) => {
        if (this.#wire === undefined) {
          this.#alone += 1;
          return undefined;
        }
        this.#silence = onSilence;
        this.#hasAsked = true;
        return () => (this.#silence = undefined);
      },
      onChange: () => {},
    });
    this.#silence = undefined;
    this.#hasAsked = false;
    return proxy;
  }

  #look(): void {
    const said = this.#proxy.state?.proxy;
    const isUnsure = said?.isUnsure === true;
    if (this.#hasAsked && isUnsure && !this.#wasUnsure) this.#alone += 1;
    this.#wasUnsure = isUnsure;
    if (said === undefined || said.applied !== undefined) this.#hasAsked = false;
  }

  /** For too long for whoever waits for it. */
  serverIsSilent(): void {
    this.#silence?.();
  }

  write(): void {
    this.#disk = this.#stored;
    if (this.#disk !== undefined) this.#proxy.kept(this.#disk);
  }

  openStream(): void {
    if (this.streams.length > 2) this.closeStream();
    this.streams.push(this.envoy.open(this.#proxy));
  }

  /** The oldest one. */
  closeStream(): void {
    const stream = this.streams.shift();
    stream?.close();
    if (this.envoy.stream === stream) this.envoy.stream = undefined;
    if (!this.#proxy.isHere && !this.#proxy.hasRefused) this.#proxy = this.#newProxy();
  }

  restartAgent(): void {
    this.cut();
    this.streams.length = 0;
    this.#stored = this.#disk;
    this.#proxy = this.#newProxy();
    this.envoy.stream = undefined;
    // Of a first policy that was refused, whoever has no other, nothing is on the disk.
    if (this.#disk === undefined) this.envoy.restart();
  }

  // The mesh stream

  cut(): void {
    if (this.#wire !== undefined) this.#ended.push(this.#wire);
    this.#wire = undefined;
  }

  /** The server notices before it hears of the next. */
  noticeEnd(): void {
    for (const { session } of this.#ended.splice(0)) this.#proxies.closed(session);
  }

  connect(): void {
    this.cut();
    this.#wire = new Wire();
    this.#tell(this.#wire, this.#wire.reporter.begin(this.#known()));
  }

  report(): void {
    if (this.#wire !== undefined) {
      this.#tell(this.#wire, this.#wire.reporter.update(this.#known()));
    }
  }

  #tell(wire: Wire, messages: readonly ConnectRequest[]): void {
    this.#look();
    wire.up.push(...messages);
    const last = messages.at(-1);
    if (last !== undefined) this.#news.set(last, this.#alone);
  }

  #known() {
    const { state, isAnswering, isUnanswered } = this.#proxy;
    const here = new Map(state === undefined ? [] : [[name.proxyId, state] as const]);
    const answering = new Set(isAnswering ? [name.proxyId] : []);
    const unanswered = new Set(isUnanswered ? [name.proxyId] : []);
    const proxy = { ...name, labels: new Map(), hasListeners: true, draining: new Map() };
    const { digest = "", octets } = this.#stored ?? {};
    const oldConnections = "unobserved" as const;
    const applied = { digest, octets };
    const rest = { isUnsure: true, nack: undefined, assignmentsAnswered: 0 };
    const told = { ...proxy, oldConnections, applied, ...rest };
    const isAway = this.#stored !== undefined && state === undefined;
    const away = new Map(isAway ? [[name.proxyId, told] as const] : []);
    return { here, answering, unanswered, away };
  }

  agentReads(): void {
    const octets = this.#wire?.down.shift();
    if (octets === undefined) return;
    const received = receivePolicy(octets);
    const { isHere } = this.#proxy;
    this.#proxy.take(received);
    this.#wire?.reporter.read(1, isHere ? [[name.proxyId, received.digest]] : []);
  }

  // The server

  #newProxies(): PolicyProxies {
    return new PolicyProxies({
      told: ({ identity: { key } }, report) => {
        this.state = afterReport(this.state, report);
        this.#rollout.reported(key, report);
        this.#rollout.target(key, { desired: this.#desired, address: undefined });
      },
      left: ({ identity: { key } }) => {
        const { applied } = this.state;
        // It may begin anew where nobody can be asked.
        const known = applied === "nothing" ? undefined : applied;
        this.state = { ...this.state, isConnected: false, applied: known };
        this.#rollout.disconnected(key);
      },
      refused: () => {},
      dropped: () => {},
      desired: () => this.#desired,
      nowMs: () => 0,
    });
  }

  restartServer(): void {
    this.cut();
    this.#ended = [];
    this.#rollout = new Rollout();
    this.#proxies = this.#newProxies();
    this.state = unheard("");
  }

  want(at: number): void {
    this.#desired = policies[at];
    for (const { identity } of this.#proxies.all()) {
      this.#rollout.target(identity.key, { desired: this.#desired, address: undefined });
    }
  }

  serverReads(): void {
    const request = this.#wire?.up.shift();
    const message = request?.message;
    if (request === undefined || this.#wire === undefined || message?.case !== "policy") return;
    this.noticeEnd();
    this.#heardAlone = Math.max(this.#heardAlone, this.#news.get(request) ?? 0);
    this.#proxies.take(this.#wire.session, reporter, parsePolicyReport(message.value));
  }

  push(): void {
    for (const { key, policy } of this.#rollout.takePushes(1)) {
      const proxy = this.#proxies.get(key);
      if (proxy === undefined) continue;
      this.#proxies.sends(proxy, policy);
      this.state = { ...this.state, sent: policy };
      if (proxy.session === this.#wire?.session) this.#wire?.down.push(encodePolicy(policy));
    }
  }

  /** What Envoy may be doing that the server thinks it cannot, but for what it is given because the server does not answer. */
  get unknown(): readonly string[] {
    this.#look();
    if (this.#alone > this.#heardAlone) return [];
    if (this.state.applied === undefined) return [];
    const possible = new Set(possiblePolicies(this.state).map(digestOfPolicy));
    return [...this.envoy.doing].filter((digest) => !possible.has(digest));
  }

  /** Nothing breaks for as many rounds, and Envoy takes everything. */
  settle(rounds: number): void {
    while (this.streams.length > 1 || this.envoy.stream === undefined) {
      if (this.streams.length > 0) this.closeStream();
      else this.openStream();
    }
    if (this.#wire === undefined) this.connect();
    for (let round = 0; round < rounds; round++) {
      while (this.envoy.given.length > 0) this.envoy.answer(true, false);
      this.write();
      this.report();
      while ((this.#wire?.up.length ?? 0) > 0) this.serverReads();
      this.push();
      while ((this.#wire?.down.length ?? 0) > 0) this.agentReads();
    }
  }

  get desired(): ProxyPolicy | undefined {
    return this.#desired;
  }
}

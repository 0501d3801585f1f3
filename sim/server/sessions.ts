/** The mesh streams as the server sees them: each speaks for the identity of its certificate, and the newest one of an agent counts. */

import type { AgentEntry } from "../../src/core/roll/agent-roll.ts";
import type { Reporter } from "../../src/core/roll/evidence.ts";
import { nodeAgentName } from "../../src/core/roll/leaf-owners.ts";
import type { TrustBundle } from "../../src/core/spiffe/trust-bundle.ts";
import type { MeshLink, UpMessage } from "../world/mesh-link.ts";
import { Task } from "../world/pipe.ts";
import type { Leaf } from "../world/symbols.ts";
import type { Server } from "./server.ts";

export interface Session {
  readonly link: MeshLink;
  readonly leaf: Leaf;
  readonly reporter: Reporter;
  readonly isNodeAgent: boolean;
  /** It has said Hello. */
  isKnown: boolean;
  /** The agent's end is gone, and nobody has noticed. */
  isBroken: boolean;
}

export class Sessions {
  readonly notice: Task;
  readonly #server: Server;
  readonly #open = new Set<Session>();
  readonly #speaking = new Map<string, Session>();

  constructor(server: Server) {
    this.#server = server;
    this.notice = new Task(
      () => server.isUp && this.#firstBroken() !== undefined,
      () => {
        const broken = this.#firstBroken();
        if (broken !== undefined) this.#close(broken);
      },
    );
  }

  /** Whether the server takes this client certificate. */
  admits({ notAfterMs, rootBit }: Leaf): boolean {
    return this.#server.nowMs < notAfterMs && (this.#server.bundleMask & rootBit) !== 0;
  }

  open(link: MeshLink, leaf: Leaf): Session {
    const { agent } = link;
    const reporter = { agentId: agent.id, spiffeId: leaf.identity };
    const isNodeAgent = agent.isNode;
    const session = { link, leaf, reporter, isNodeAgent, isKnown: false, isBroken: false };
    this.#open.add(session);
    return session;
  }

  /** A node agent shows the tokens of all its workloads as soon as its stream is open. */
  readonly speaksFor = ({ reporter }: AgentEntry, identity: string): boolean => {
    const session = this.#speaking.get(`${reporter.spiffeId} ${reporter.agentId}`);
    if (session === undefined) return false;
    return session.link.agent.workloads.some((workload) => workload.identity === identity);
  };

  speaking(): Iterable<Session> {
    return this.#speaking.values();
  }

  publish(bundle: TrustBundle): void {
    for (const session of this.#speaking.values()) send(session, bundle);
  }

  askToRenew(session: Session): void {
    if (!session.isBroken) session.link.down.send({ kind: "renew" });
  }

  receive(session: Session, message: UpMessage): void {
    const { nowMs } = this.#server;
    if (!this.#open.has(session)) return;
    if (nowMs >= session.leaf.notAfterMs) return this.#close(session);
    if (message.kind === "hello") return this.#greet(session, nowMs - message.agentMs);
    if (this.#speaking.get(keyOf(session)) !== session) return;
    if (message.kind === "goodbye") return this.#farewell(session);
    this.#server.roll.report(session.reporter, message.report, nowMs);
  }

  /** No stream outlives the certificate that it began with. */
  tick(): void {
    for (const session of this.#open) {
      if (this.#server.nowMs >= session.leaf.notAfterMs) this.#close(session);
    }
  }

  /** With the process they are gone, and the agents see it. */
  reset(): void {
    for (const session of this.#open) if (!session.isBroken) session.link.break();
    this.#open.clear();
    this.#speaking.clear();
  }

  #greet(session: Session, skewMs: number): void {
    const { leaf, reporter, isNodeAgent } = session;
    const { roll, nowMs, bundle, seenSkew } = this.#server;
    session.isKnown = true;
    seenSkew.saw(skewMs);
    session.link.agent.isClockKnown = true;
    roll.connected(reporter, { skewMs, leafNotAfterMs: leaf.notAfterMs, isNodeAgent, nowMs });
    const previous = this.#speaking.get(keyOf(session));
    this.#speaking.set(keyOf(session), session);
    if (previous !== undefined) this.#close(previous);
    send(session, bundle);
  }

  #farewell(session: Session): void {
    const { reporter, leaf } = session;
    const { spiffeId, agentId } = reporter;
    const agents = [{ spiffeId, agent: agentId, lastIndex: leaf.intentIndex }];
    const lastIndex = this.#server.log.nextIndex - 1;
    for (const { identity } of session.isNodeAgent ? session.link.agent.workloads : []) {
      agents.push({ spiffeId: identity, agent: nodeAgentName(agentId), lastIndex });
    }
    this.#server.goodbye(reporter, agents);
    this.#close(session);
  }

  #close(session: Session): void {
    this.#open.delete(session);
    if (!session.isBroken) session.link.break();
    if (this.#speaking.get(keyOf(session)) !== session) return;
    this.#speaking.delete(keyOf(session));
    this.#server.roll.disconnected(session.reporter, this.#server.nowMs);
  }

  #firstBroken(): Session | undefined {
    for (const session of this.#open) if (session.isBroken) return session;
    return undefined;
  }
}

function send(session: Session, bundle: TrustBundle): void {
  if (!session.isBroken) session.link.down.send({ kind: "bundle", bundle });
}

function keyOf({ reporter }: Session): string {
  return `${reporter.spiffeId} ${reporter.agentId}`;
}

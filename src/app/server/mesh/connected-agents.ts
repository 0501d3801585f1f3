/** The agents whose streams are open, for whoever looks at them or speaks to them: none before the mesh is served. */

import type { Reporter } from "../../../core/roll/evidence.ts";
import type { VerifierView } from "../../../core/roll/verifier-view.ts";
import type { MeshService } from "./mesh-service.ts";
import type { Session } from "./mesh-session.ts";

export class ConnectedAgents {
  readonly #nowMs: () => number;
  #mesh: MeshService | undefined;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  serve(mesh: MeshService): void {
    this.#mesh = mesh;
  }

  count(): number {
    return this.#mesh?.agentsConnected ?? 0;
  }

  sessions(): Iterable<Session> {
    return this.#mesh?.sessions() ?? [];
  }

  /** The one that speaks for an agent. */
  session(reporter: Reporter): Session | undefined {
    return this.#mesh?.session(reporter);
  }

  /** Asks for new certificates in the place of these. */
  renew(session: Session, serials: readonly Uint8Array[]): void {
    this.#mesh?.renew(session, serials);
  }

  /** Whether a node agent has shown a token of this identity that counts now, and has been heard to the end about it. */
  readonly speaksFor: VerifierView["speaksFor"] = ({ reporter }, identity) => {
    const spokenFor = this.#mesh?.session(reporter)?.spokenFor;
    return spokenFor?.knowsAll(identity, this.#nowMs()) === true;
  };
}

/**
 * A new bundle goes to every agent's stream: encoded once, and to some at a time, so that nobody else waits for ten
 * thousand writes. A bundle that comes meanwhile takes the place of the one that is on its way.
 */

import type { TrustBundle } from "../../../core/spiffe/trust-bundle.ts";
import { encodeBundle } from "../../../edge/rpc/mesh-messages.ts";
import { encodeOnce, type EncodedMessage } from "../../../edge/rpc/service-definition.ts";
import { ConnectResponseSchema } from "../../../gen/portcullis/mesh/v1/mesh_pb.ts";
import type { MeshSessions, Session } from "./mesh-session.ts";

/** A write was seen to cost some 30 us, encryption included. */
const sentPerTurn = 100;

export class BundlePublisher {
  readonly #bundle: () => TrustBundle;
  readonly #sessions: MeshSessions;
  #message: { readonly bundle: TrustBundle; readonly encoded: EncodedMessage } | undefined;
  #left: Iterator<Session> | undefined;

  constructor(bundle: () => TrustBundle, sessions: MeshSessions) {
    this.#bundle = bundle;
    this.#sessions = sessions;
  }

  /** To one that has just said Hello. */
  send(session: Session): void {
    const bundle = this.#bundle();
    session.bundleSequence = bundle.sequence;
    session.call.write(this.#encoded(bundle));
  }

  /** To everybody who has not been sent it yet. */
  publish(): void {
    const isRunning = this.#left !== undefined;
    this.#left = this.#sessions.speaking();
    if (!isRunning) this.#sendSome();
  }

  #sendSome(): void {
    const { sequence } = this.#bundle();
    for (let sent = 0; sent < sentPerTurn;) {
      const next = this.#left?.next();
      if (next === undefined || next.done === true) {
        this.#left = undefined;
        return;
      }
      if (next.value.bundleSequence === sequence) continue;
      this.send(next.value);
      sent++;
    }
    setImmediate(() => this.#sendSome());
  }

  #encoded(bundle: TrustBundle): EncodedMessage {
    if (this.#message?.bundle !== bundle) {
      this.#message = { bundle, encoded: encodeOnce(ConnectResponseSchema, encodeBundle(bundle)) };
    }
    return this.#message.encoded;
  }
}

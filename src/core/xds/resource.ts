/**
 * What a stream is served from: one immutable snapshot that all streams share. A resource is
 * encoded once, by whoever makes the snapshot, and its bytes are sent to every subscriber.
 */

import { createHash } from "node:crypto";

/**
 * @typeParam E what it proves when a client holds this resource, opaque to the subscriber machine
 */
export interface VersionedResource<E> {
  readonly name: string;
  /**
   * Derived from `body` alone: equal content has an equal version, also after the sender has
   * restarted.
   */
  readonly version: string;
  /** The serialized message, ready to be the value of an Any. */
  readonly body: Uint8Array;
  readonly evidence: E;
}

export interface Snapshot<E> {
  readonly resources: ReadonlyMap<string, VersionedResource<E>>;
  /**
   * Names that will exist but do not yet. To a subscriber silence means "wait", while a name that
   * is neither here nor in `resources` does not exist.
   */
  readonly pending: { has(name: string): boolean };
  /**
   * Names whose last accepted content is sent again when a newer one was refused. Envoy keeps what it has refused beside what it
   * goes on with, and refuses every later secret of the same context because of it.
   */
  readonly restored?: { has(name: string): boolean };
}

/** The same for the same content, whichever process computes it and in whatever order. */
export function digest<E>(resources: readonly VersionedResource<E>[]): string {
  const lines = resources.map(({ name, version }) => JSON.stringify([name, version]));
  return createHash("sha256").update(lines.toSorted().join("\n")).digest("hex").slice(0, 32);
}

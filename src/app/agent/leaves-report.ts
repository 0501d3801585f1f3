/**
 * Which certificates the server was told on one mesh stream that this agent serves, and so what is to be told now. It asks for
 * the renewal of those alone: one that has a successor is of no use to ask for, although a proxy may still hold it.
 */

import type { WorkloadCertificate } from "../../core/envoy/secret.ts";
import { encodeHeldLeaves } from "../../edge/rpc/mesh-messages.ts";
import type { ConnectRequest } from "../../gen/portcullis/mesh/v1/mesh_pb.ts";

/** The server takes messages of 64 KiB; a leaf has at most 40 bytes, a serial 22. */
const leavesMax = 500;

export class LeavesReport {
  /** Serials. */
  #told: ReadonlySet<string> = new Set();
  #isFirst = true;

  /** What has changed since the last time; everything at first. */
  update(held: readonly WorkloadCertificate[]): ConnectRequest[] {
    const serials = new Set(held.map(({ serialHex }) => serialHex));
    const added = held.filter(({ serialHex }) => !this.#told.has(serialHex));
    const dropped = [...this.#told].filter((serialHex) => !serials.has(serialHex));
    this.#told = serials;
    const messages: ConnectRequest[] = [];
    for (
      let at = 0;
      at < Math.max(added.length, dropped.length) || this.#isFirst;
      at += leavesMax
    ) {
      messages.push(
        encodeHeldLeaves({
          full: this.#isFirst,
          held: added.slice(at, at + leavesMax),
          dropped: dropped.slice(at, at + leavesMax),
        }),
      );
      this.#isFirst = false;
    }
    return messages;
  }
}

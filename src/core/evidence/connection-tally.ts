/**
 * Sums up the connections that an Envoy tells of, until they are reported. What there is no room for is counted without its source: an
 * Envoy that is called from a million addresses costs no more memory than one that is called from a thousand, and no call is lost.
 */

import { compareText } from "../compare-text.ts";
import type { ConnectionKind, SeenConnections, Source } from "./connection.ts";
import { noSizes, TallyRooms, type RoomSizes } from "./tally-rooms.ts";

/** Sources of a port by kind and refusal that have a count of their own, in each room. */
export const portKeysMax = 1_024;
/** The same of all ports of an Envoy, of those without mTLS. */
export const proxyKeysMax = 4_096;
/** And in either room of mTLS: callers of the mesh are fewer. */
const meshedKeysMax = 2_048;
/**
 * A source that was not seen for so long makes room for others. So it is new in kind when it comes again, and an agent that runs for a
 * year does not tell all of the present ones as `others` because of those that were there once.
 */
export const forgottenAfterMs = 3_600_000;

interface Count {
  readonly port: number;
  readonly kind: ConnectionKind;
  readonly isRefused: boolean;
  readonly source: Source;
  firstMs: number;
  lastMs: number;
  count: number;
  claim: string;
  isWaiting: boolean;
  takenMs: number;
}

/** By the text of the source. */
type Counts = Map<string, Count>;
type CountsOfKinds = Readonly<Record<ConnectionKind, Counts>>;

interface PortCounts {
  readonly accepted: CountsOfKinds;
  readonly refused: CountsOfKinds;
  readonly sizes: RoomSizes;
}

const others: Source = { kind: "others" };

/** Of one Envoy. */
export class ConnectionTally {
  readonly #ports = new Map<number, PortCounts>();
  #waiting: Count[] = [];
  readonly #rooms = new TallyRooms(portKeysMax, {
    unmeshed: proxyKeysMax,
    meshed: meshedKeysMax,
    refused: meshedKeysMax,
  });
  #hasNew = false;

  /** Whether somebody waits to be told of who was not known before, or was forgotten. */
  get hasNew(): boolean {
    return this.#hasNew;
  }

  /** @param seen a count of 0 tells only how long a connection lasted that is counted already */
  add(seen: SeenConnections): void {
    const { port, kind, isRefused, source, firstMs, lastMs } = seen;
    const ofPort = this.#ports.get(port) ?? this.#newPort(port);
    const counts = (isRefused ? ofPort.refused : ofPort.accepted)[kind];
    const count = counts.get(textOf(source)) ?? this.#newCount(seen, counts, ofPort);
    if (count.isWaiting) {
      if (firstMs < count.firstMs) count.firstMs = firstMs;
      if (lastMs > count.lastMs) count.lastMs = lastMs;
      count.count += seen.count;
    } else {
      count.firstMs = firstMs;
      count.lastMs = lastMs;
      count.count = seen.count;
      count.isWaiting = true;
      this.#waiting.push(count);
    }
    if (seen.claim !== "" && count.source.kind !== "others") count.claim = seen.claim;
  }

  /** All since the last time, by port, kind and source. */
  take(nowMs: number): SeenConnections[] {
    const taken = this.#waiting.toSorted(inOrder).map((count) => {
      const { isWaiting: _, takenMs: __, ...seen } = count;
      count.isWaiting = false;
      count.takenMs = nowMs;
      return seen;
    });
    this.#waiting = [];
    this.#hasNew = false;
    for (const ofPort of this.#ports.values()) this.#forget(ofPort, nowMs - forgottenAfterMs);
    return taken;
  }

  #newPort(port: number): PortCounts {
    const ofPort = { accepted: countsOfKinds(), refused: countsOfKinds(), sizes: noSizes() };
    this.#ports.set(port, ofPort);
    return ofPort;
  }

  #newCount(seen: SeenConnections, counts: Counts, ofPort: PortCounts): Count {
    const isRoom = this.#rooms.hasRoom(ofPort.sizes, seen);
    const source = isRoom ? seen.source : others;
    const known = counts.get(textOf(source));
    if (known !== undefined) return known;
    const count = { ...seen, source, claim: "", count: 0, isWaiting: false, takenMs: 0 };
    counts.set(textOf(source), count);
    if (source.kind !== "others") this.#rooms.add(ofPort.sizes, seen, 1);
    this.#hasNew = true;
    return count;
  }

  #forget(ofPort: PortCounts, beforeMs: number): void {
    for (const counts of [...Object.values(ofPort.accepted), ...Object.values(ofPort.refused)]) {
      for (const [text, count] of counts) {
        const { takenMs, isWaiting, source } = count;
        if (takenMs >= beforeMs || isWaiting) continue;
        counts.delete(text);
        if (source.kind !== "others") this.#rooms.add(ofPort.sizes, count, -1);
      }
    }
  }
}

function countsOfKinds(): CountsOfKinds {
  return { mtls: new Map(), tls: new Map(), passthrough: new Map(), plaintext: new Map() };
}

/** No SPIFFE ID is an IP address. */
function textOf(source: Source): string {
  if (source.kind === "address") return source.address;
  return source.kind === "identity" ? source.spiffeId : "";
}

function inOrder(a: Count, b: Count): number {
  return (
    a.port - b.port ||
    compareText(a.kind, b.kind) ||
    Number(a.isRefused) - Number(b.isRefused) ||
    compareText(textOf(a.source), textOf(b.source))
  );
}

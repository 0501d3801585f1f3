/**
 * Which sources of connections share room. What was mTLS, and what mTLS was refused, has room of its own: whoever calls in plaintext from
 * many addresses hides nobody of the mesh.
 */

import type { SeenConnections } from "./connection.ts";

type Room = "meshed" | "refused" | "unmeshed";
export type RoomSizes = Record<Room, number>;
type RoomOf = Pick<SeenConnections, "kind" | "isRefused">;

/** Of one Envoy. */
export class TallyRooms {
  readonly #portMax: number;
  readonly #max: Readonly<RoomSizes>;
  readonly #sizes: RoomSizes = noSizes();

  /** @param portMax in each room @param max of all ports together */
  constructor(portMax: number, max: Readonly<RoomSizes>) {
    this.#portMax = portMax;
    this.#max = max;
  }

  hasRoom(ofPort: Readonly<RoomSizes>, seen: RoomOf): boolean {
    const room = roomOf(seen);
    return ofPort[room] < this.#portMax && this.#sizes[room] < this.#max[room];
  }

  /** @param by 1, or -1 */
  add(ofPort: RoomSizes, seen: RoomOf, by: number): void {
    const room = roomOf(seen);
    ofPort[room] += by;
    this.#sizes[room] += by;
  }
}

export function noSizes(): RoomSizes {
  return { meshed: 0, refused: 0, unmeshed: 0 };
}

function roomOf({ kind, isRefused }: RoomOf): Room {
  if (kind !== "mtls") return "unmeshed";
  return isRefused ? "refused" : "meshed";
}

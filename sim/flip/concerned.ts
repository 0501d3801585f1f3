/** Which ports a flip is about. */

import { isFlipPort, type Flip } from "../../src/core/flip/flip.ts";
import { serverMode } from "../../src/core/policy/server-mode.ts";
import { namespace } from "./mesh-objects.ts";
import type { Server } from "./server.ts";

export type Concerned = Pick<Flip, "target" | "ports" | "exceptPorts">;

const labels: ReadonlyMap<string, string> = new Map([["app", "api"]]);

/** A policy of their own says what the servers' ports take: one of the namespace says nothing. */
export function hasOwnPolicy({ view }: Pick<Server, "view">, port: number): boolean {
  const { because } = serverMode(view.mesh.peers, { namespace, labels }, port);
  return because.rule === "workload" || because.rule === "port";
}

export function isConcerned(server: Server, flip: Concerned, port: number): boolean {
  const isByOther = flip.target.name === "" && hasOwnPolicy(server, port);
  return isFlipPort(flip, port) && !isByOther;
}

/** The proxies of which a verdict asks what they saw, and what they told. */

import type { PortCoverage, SeenConnections } from "./connection.ts";

/** Why nothing more can be heard of a proxy now. */
export type Absence =
  /** Its agent has no stream, and had one since the server's start. */
  | "away"
  /** Its agent tells, and its Envoy has no stream with it. */
  | "envoy-away"
  /** No agent told of it since the server's start: what became of it nobody knows. */
  | "unheard"
  /** Its pod is gone, and no node has said that it ended: what ran there may run on until its certificates end. */
  | "pod-gone"
  /** The same, and another pod has its name. */
  | "earlier-pod";

/** Of whom nothing is heard. */
export interface Absent {
  readonly absence: Absence;
  /** When it counts as gone at the latest, where that is known. */
  readonly absentUntilMs?: number | undefined;
}

/** A life of a proxy, from when it was first heard of until it was gone. A key that comes again has several. */
export interface Member {
  readonly key: string;
  /** NAMESPACE/NAME of its workload. */
  readonly name: string;
  readonly bornMs: number;
  /** Undefined for one that is not proven gone, connected or not. */
  readonly goneMs: number | undefined;
  /** Those that its Envoy is to listen on, by its policy; undefined: those that it has told of. */
  readonly ports?: readonly number[] | undefined;
  /** It has told, of whichever port, and those on which it listens are known: where nothing of it is asked for, nothing is missing. */
  readonly hasTold?: boolean | undefined;
  /** Undefined: it is told of. Of one that is gone: whether something may be on its way still. */
  readonly absence?: Absence | undefined;
  readonly absentUntilMs?: Absent["absentUntilMs"];
}

export interface MemberSeen extends SeenConnections {
  /** Key of the member. */
  readonly member: string;
}

export interface MemberSpan extends PortCoverage {
  readonly member: string;
  /** When the life of the Envoy began of which it tells. */
  readonly epochMs: number;
}

/** Whether it was there at any time since. */
export function wasThere({ goneMs }: Member, fromMs: number): boolean {
  return goneMs === undefined || goneMs > fromMs;
}

/** @param ports that are asked for; undefined: all */
export function isAsked(ports: readonly number[] | undefined, port: number): boolean {
  return ports === undefined || ports.includes(port);
}

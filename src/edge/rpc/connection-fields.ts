/**
 * Fields of the messages of connections. What an Envoy made up is taken for the nearest that can be, and never keeps the others of its report
 * from being heard; what only an agent writes has to be right.
 */

import { SpiffeId, SpiffeIdError } from "../../core/spiffe/id.ts";
import { MeshMessageError } from "./mesh-fields.ts";

/** Of one row of one report: sums of them have to stay safe integers. */
const countMax = 1_000_000_000;
const openMax = 4_294_967_295;
/** The end of the year 9999. */
const timeMsMax = 253_402_300_799_999;

/** @throws MeshMessageError */
export function assertConnections(isSo: boolean, expected: string): void {
  if (isSo) return;
  throw new MeshMessageError("mesh-connections-malformed", `connections: expected ${expected}`);
}

/** @param ms Unix ms, of a clock that may know parts of them @param otherwise for what is no number: what covers least */
export function wholeMs(ms: number, otherwise: "first" | "last"): number {
  return within(ms, timeMsMax, otherwise === "first" ? 0 : timeMsMax);
}

export function wireCount(count: number): bigint {
  return BigInt(within(count, countMax, countMax));
}

/** @returns uint32 */
export function wireOpen(count: number): number {
  return within(count, openMax, openMax);
}

/** @returns Unix ms; one that is too late is as late as can be */
export function parseTime(wire: bigint): number {
  return Math.min(Number(wire), timeMsMax);
}

export function parseCount(wire: bigint): number {
  return Math.min(Number(wire), countMax);
}

/** @throws MeshMessageError */
export function countOf(wire: bigint, max: number, field: string): number {
  const value = Number(wire);
  assertConnections(value <= max, `${field} of at most ${max}, got ${wire}`);
  return value;
}

/** @returns undefined for one that is none */
export function identityOf(uri: string): string | undefined {
  try {
    return SpiffeId.parse(uri).toString();
  } catch (error) {
    if (error instanceof SpiffeIdError) return undefined;
    throw error;
  }
}

function within(value: number, max: number, otherwise: number): number {
  return Number.isNaN(value) ? otherwise : Math.min(Math.max(0, Math.floor(value)), max);
}

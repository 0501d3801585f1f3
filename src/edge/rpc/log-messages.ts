/** The transparency log in `portcullis.mesh.v1`: what a server shows its witnesses, and what they ask and say. */

import { create } from "@bufbuild/protobuf";
import type { ProvedEntry } from "../../core/log/proved-entry.ts";
import type { LogAlarm, LogAlarmKind } from "../../core/log/witness.ts";
import type { LogClaim } from "../../core/log/witness-claim.ts";
import {
  ConnectRequestSchema,
  ConnectResponseSchema,
  type ConnectRequest,
  type ConnectResponse,
  type LogAlarm as WireAlarm,
  type LogInclusion as WireInclusion,
  type LogLeaf as WireLeaf,
  type LogProof as WireProof,
} from "../../gen/portcullis/mesh/v1/mesh_pb.ts";
import { MeshMessageError } from "./mesh-fields.ts";

/** What the log has of one certificate. */
export type LeafAnswer = { readonly serial: Uint8Array } & (
  | { readonly kind: "found"; readonly intent: ProvedEntry; readonly result: ProvedEntry }
  | { readonly kind: "missing" }
  /** Of somebody for whom the stream does not speak, or not yet. */
  | { readonly kind: "foreign" }
);

export interface ShownLog {
  readonly claim: LogClaim;
  readonly answers: readonly LeafAnswer[];
}

/** An alarm with what convicts the log. */
export interface ToldAlarm extends LogAlarm {
  readonly held: string;
  readonly shown: string;
  /** Of a leaf that is missing; else empty. */
  readonly serial: Uint8Array;
}

/** Longer texts are cut; notes that are longer are none of ours. */
const detailCharactersMax = 1_024;
const noteCharactersMax = 4_096;
const serialBytesMax = 20;
const alarmKinds: readonly LogAlarmKind[] = [
  "log-fork",
  "log-rollback",
  "log-key-changed",
  "log-leaf-missing",
  "log-invalid",
];

export function encodeLogProof({ claim, answers }: ShownLog): ConnectResponse {
  const value = {
    checkpoint: claim.note,
    verifierKey: claim.verifierKey,
    fromSize: BigInt(claim.fromSize),
    consistency: [...claim.consistency],
    ...(claim.restored && { restored: encodeLeaf(claim.restored) }),
    inclusions: answers.map(encodeAnswer),
  };
  return create(ConnectResponseSchema, { message: { case: "logProof", value } });
}

/** @throws MeshMessageError */
export function parseLogProof(wire: WireProof): ShownLog {
  const { checkpoint: note, verifierKey, fromSize, consistency, restored, inclusions } = wire;
  const claim = { note, verifierKey, fromSize: parseIndex(fromSize), consistency };
  return {
    claim: { ...claim, ...(restored && { restored: parseLeaf(restored) }) },
    answers: inclusions.map(parseAnswer),
  };
}

export function encodeInclusionRequest(serials: readonly Uint8Array[]): ConnectRequest {
  const value = { serials: [...serials] };
  return create(ConnectRequestSchema, { message: { case: "inclusion", value } });
}

export function encodeLogAlarm({ kind, message, held, shown, serial }: ToldAlarm): ConnectRequest {
  const value = {
    kind,
    detail: cut(message, detailCharactersMax),
    heldCheckpoint: cut(held, noteCharactersMax),
    shownCheckpoint: cut(shown, noteCharactersMax),
    serial,
  };
  return create(ConnectRequestSchema, { message: { case: "logAlarm", value } });
}

/** A kind that there is not is "log-invalid": it becomes a label of a metric. */
export function parseLogAlarm(wire: WireAlarm): ToldAlarm {
  return {
    kind: alarmKinds.find((each) => each === wire.kind) ?? "log-invalid",
    message: cut(wire.detail, detailCharactersMax),
    held: cut(wire.heldCheckpoint, noteCharactersMax),
    shown: cut(wire.shownCheckpoint, noteCharactersMax),
    serial: wire.serial.subarray(0, serialBytesMax),
  };
}

function encodeAnswer(answer: LeafAnswer) {
  const { kind, serial } = answer;
  if (kind !== "found") return { serial, foreign: kind === "foreign" };
  return { serial, intent: encodeLeaf(answer.intent), result: encodeLeaf(answer.result) };
}

function parseAnswer({ serial, intent, result, foreign }: WireInclusion): LeafAnswer {
  if (foreign) return { kind: "foreign", serial };
  if (intent === undefined || result === undefined) return { kind: "missing", serial };
  return { kind: "found", serial, intent: parseLeaf(intent), result: parseLeaf(result) };
}

function encodeLeaf({ index, bytes, proof }: ProvedEntry) {
  return { index: BigInt(index), entry: bytes, proof: [...proof] };
}

function parseLeaf({ index, entry, proof }: WireLeaf): ProvedEntry {
  return { index: parseIndex(index), bytes: entry, proof };
}

function parseIndex(wire: bigint): number {
  if (wire <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(wire);
  throw new MeshMessageError("mesh-index-out-of-range", `expected less than 2^53, got ${wire}`);
}

function cut(text: string, max: number): string {
  return text.length > max ? text.slice(0, max) : text;
}

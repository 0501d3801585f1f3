/**
 * Why a server does not judge, flip, or take back: answers with a stable code, words, and what to do next. docs/flips.md has them all;
 * core has those of targets and edits (`flip-error`).
 */

import { PortcullisError } from "../../../core/error.ts";
import {
  FlipError,
  type FlipErrorCode,
  type FlipRefusal,
  type FlipRefusalCode,
} from "../../../core/flip/flip-error.ts";
import { refWords, type ResourceRef } from "../../../core/resources/resource.ts";
import { nearestMatch } from "../../../edge/config/nearest-match.ts";
import { CallerWaiverError } from "../../../edge/store/caller-waivers.ts";
import { ResourceChangeError } from "../policy/resources/resource-change-error.ts";
import { clusterOrigin } from "../policy/resources/stored-object.ts";
import type { Judgement } from "./judgement.ts";

export type ServerRefusalCode =
  | "not-safe"
  | "flip-unknown"
  /** Of the same target. */
  | "flip-running"
  /** Of a target that has workloads in common. */
  | "flip-overlaps"
  | "flips-full"
  /** Nobody there could refuse anything. */
  | "target-without-proxy"
  /** Nobody there takes calls. */
  | "target-takes-no-calls"
  | "flip-object-in-directory"
  /** The configuration has changed while it was judged. */
  | "object-changed"
  | "evidence-unavailable"
  | "look-back-too-long"
  | "look-back-too-short"
  /** Of whom no waiver counts. */
  | "waiver-unknown"
  | "until-past";

export interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  readonly judgement?: Judgement;
}

interface RefusedOptions {
  readonly hint: string;
  readonly judgement?: Judgement;
}

export class FlipRefusedError extends PortcullisError<ServerRefusalCode | FlipRefusalCode> {
  override name = "FlipRefusedError";
  readonly judgement: Judgement | undefined;

  constructor(
    code: ServerRefusalCode | FlipRefusalCode,
    message: string,
    { hint, judgement }: RefusedOptions,
  ) {
    super(code, message, { hint });
    this.judgement = judgement;
  }
}

/** In words, of whoever has nothing more to say. */
export interface ServerRefusal extends Pick<FlipRefusal, "message" | "hint"> {
  readonly code: ServerRefusalCode | FlipRefusalCode;
}

/** @throws FlipRefusedError */
export function refuse({ code, message, hint }: ServerRefusal): never {
  throw new FlipRefusedError(code, message, { hint });
}

/** @param next the command that goes another way */
export function inDirectory(ref: ResourceRef, origin: string, next: string): FlipRefusedError {
  const where = origin === clusterOrigin ? "the cluster" : `${origin} of the server's directory`;
  const message = `expected an object that is written here, got ${refWords(ref)}, which stands in ${where}`;
  return new FlipRefusedError("flip-object-in-directory", message, { hint: next });
}

/** What an operator's words are wrong about, and no answer is about a target. */
const invalid: ReadonlySet<FlipErrorCode> = new Set(["target-invalid", "stages-invalid"]);

export function isInvalid(error: PortcullisError): boolean {
  return error instanceof FlipError && invalid.has(error.code);
}

/** @returns undefined for what is no refusal */
export function refusalOf(error: unknown, asked: string): Refusal | undefined {
  if (error instanceof FlipRefusedError) {
    const { code, message, hint = "", judgement } = error;
    return { code, message, hint, ...(judgement && { judgement }) };
  }
  if (error instanceof FlipError && !isInvalid(error)) {
    return {
      code: error.code,
      message: error.message + meant(error, asked),
      hint: error.hint ?? "",
    };
  }
  const isOther = error instanceof CallerWaiverError || error instanceof ResourceChangeError;
  if (!isOther) return undefined;
  return { code: error.code, message: error.message, hint: error.hint ?? "portcullis get -A" };
}

function meant({ candidates }: FlipError, asked: string): string {
  const nearest = nearestMatch(asked, candidates);
  return nearest === undefined || nearest === asked ? "" : `, did you mean ${nearest}`;
}

/**
 * The proof that a certificate is in the log, as a file that stands alone: a C2SP tlog-proof of the result, whose `extra` has
 * both entries and the proof of the intent. Whoever has the log's verifier key needs nothing else.
 */

import { openCheckpoint, type Checkpoint } from "./checkpoint.ts";
import type { IntentEntry, ResultEntry } from "./entry.ts";
import { equalBytes } from "../bytes.ts";
import { LogError } from "./log-error.ts";
import type { NoteVerifier } from "./note-key.ts";
import { decodeProofExtra, encodeProofExtra } from "./proof-extra.ts";
import { openEntry, type ProvedEntry } from "./proved-entry.ts";

const HEADER = "c2sp.org/tlog-proof@v1";
const FILE_CHARACTERS_MAX = 262_144;
const FILE =
  /^c2sp\.org\/tlog-proof@v1\nextra ([\w+/=]+)\nindex (\d{1,16})\n((?:[\w+/]{43}=\n){0,63})\n([^]+)$/;

/** Of one certificate, in the tree of the checkpoint. */
export interface ProofFile {
  readonly intent: ProvedEntry;
  readonly result: ProvedEntry;
  /** The signed note. */
  readonly checkpoint: string;
}

export interface VerifiedProof {
  readonly checkpoint: Checkpoint;
  readonly intent: IntentEntry;
  readonly intentIndex: number;
  readonly result: ResultEntry;
  readonly resultIndex: number;
}

/** Says what it is given: `verifyProofFile` is where it is looked at. */
export function encodeProofFile({ intent, result, checkpoint }: ProofFile): string {
  const extra = encodeProofExtra({
    result: result.bytes,
    intent: intent.bytes,
    intentProof: intent.proof,
  });
  const lines = [
    HEADER,
    `extra ${base64(extra)}`,
    `index ${result.index}`,
    ...result.proof.map(base64),
  ];
  return `${lines.join("\n")}\n\n${checkpoint}`;
}

/**
 * @param verifiers keys of logs; nothing in the file is believed without a signature of one
 * @throws LogError `log-proof-file-malformed`, `log-proof-invalid`, and those of checkpoints and entries
 */
export function verifyProofFile(text: string, verifiers: readonly NoteVerifier[]): VerifiedProof {
  const { resultIndex, resultProof, extra, note } = parseProofFile(text);
  const checkpoint = openCheckpoint(note, verifiers);
  const provedResult = { index: resultIndex, bytes: extra.result, proof: resultProof };
  const result = openEntry(provedResult, checkpoint);
  if (result.kind !== "result") throw invalid(`entry ${resultIndex} is no result`);
  const { intentIndex } = result;
  const provedIntent = { index: intentIndex, bytes: extra.intent, proof: extra.intentProof };
  const intent = openEntry(provedIntent, checkpoint);
  if (intent.kind !== "intent") throw invalid(`entry ${intentIndex} is no intent`);
  if (intentIndex > resultIndex) throw invalid("the intent comes after its result");
  if (!equalBytes(intent.serial, result.serial)) throw invalid("the serials are not the same");
  return { checkpoint, intent, intentIndex, result, resultIndex };
}

function parseProofFile(text: string): {
  readonly resultIndex: number;
  readonly resultProof: readonly Uint8Array[];
  readonly extra: ReturnType<typeof decodeProofExtra>;
  readonly note: string;
} {
  const match = text.length > FILE_CHARACTERS_MAX ? null : FILE.exec(text);
  const [, extra = "", index = "", hashes = "", note = ""] = match ?? [];
  const octets = Buffer.from(extra, "base64");
  const resultProof = hashes.split("\n").slice(0, -1).map(fromBase64);
  const resultIndex = Number(index);
  const isCanonical =
    String(resultIndex) === index &&
    base64(octets) === extra &&
    resultProof.map((hash) => `${base64(hash)}\n`).join("") === hashes;
  if (match === null || !isCanonical) {
    throw new LogError(
      "log-proof-file-malformed",
      `expected ${HEADER} with extra data, an index, hashes and a checkpoint`,
    );
  }
  return { resultIndex, resultProof, extra: decodeProofExtra(octets), note };
}

function base64(octets: Uint8Array): string {
  return Buffer.from(octets).toString("base64");
}

function fromBase64(text: string): Uint8Array {
  return Buffer.from(text, "base64");
}

function invalid(why: string): LogError {
  return new LogError("log-proof-invalid", `expected the log of a certificate: ${why}`);
}

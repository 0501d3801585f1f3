/**
 * The requests that a bench sends, prepared before the clock starts: for each record a fresh token
 * of the shape that Kubernetes mints, and the CSR of the token's workload. The file format is that
 * of load/requests.go.
 */

import { open } from "node:fs/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import { encodePem } from "../src/core/x509/pem.ts";
import { IstioCertificateRequestSchema } from "../src/gen/istio/v1/auth/ca_pb.ts";
import { makeCsr } from "./csr.ts";
import { mintToken, type Bearer, type TokenOptions } from "./tokens.ts";

export interface CorpusOptions {
  readonly file: string;
  /** Each has a token of its own. */
  readonly records: number;
  /** Distinct identities, each with its key, pod and CSR; the records go round them. */
  readonly workloads: number;
  /** Number of the first identity. @default 0 */
  readonly first?: number;
  /** Names and UIDs follow from it; keys, and with them signatures, cannot. */
  readonly seed: number;
  readonly trustDomain: string;
  readonly tokens: TokenOptions;
}

interface Workload extends Bearer {
  readonly message: Uint8Array;
}

const MAGIC = "PCLOAD1\n";
/** Signatures asked for at once; libuv's pool spreads them over the cores. */
const CHUNK = 256;
const NAMESPACES = 10;

/** Writes the requests file, mode 0600: its tokens are good for as long as they live. */
export async function writeCorpus(options: CorpusOptions, signal?: AbortSignal): Promise<void> {
  const { first: firstWorkload = 0 } = options;
  const workloads = Array.from({ length: options.workloads }, (_, i) =>
    makeWorkload(options, firstWorkload + i),
  );
  const { file, records, tokens, seed } = options;
  const recordAt = async (index: number): Promise<RequestRecord> => {
    const workload = workloads[index % workloads.length];
    if (workload === undefined) throw new RangeError("expected at least one workload, got none");
    return {
      token: await mintToken(tokens, workload, index, seed),
      message: workload.message,
    };
  };
  await writeRequests({ file, records, recordAt }, signal);
}

export interface RequestRecord {
  readonly token: string;
  /** As `requestOf` makes it. */
  readonly message: Uint8Array;
}

export interface RequestsOptions {
  readonly file: string;
  readonly records: number;
  readonly recordAt: (index: number) => Promise<RequestRecord>;
}

/** Mode 0600, as `writeCorpus`. */
export async function writeRequests(
  { file: path, records, recordAt }: RequestsOptions,
  signal?: AbortSignal,
): Promise<void> {
  await using file = await open(path, "w", 0o600);
  await file.writeFile(Buffer.concat([Buffer.from(MAGIC), uint32(records)]));
  for (let first = 0; first < records; first += CHUNK) {
    signal?.throwIfAborted();
    const length = Math.min(CHUNK, records - first);
    const chunk = Array.from({ length }, async (_, i) => encodeRecord(await recordAt(first + i)));
    await file.writeFile(Buffer.concat((await Promise.all(chunk)).flat()));
  }
}

function encodeRecord({ token, message }: RequestRecord): readonly Uint8Array[] {
  const bytes = Buffer.from(token);
  return [uint32(bytes.length), bytes, uint32(message.length), message];
}

/** The bearers of a bench's tokens, by number. */
export function bearerAt(index: number): Bearer {
  const serviceAccount = `workload-${index}`;
  return {
    namespace: `bench-${index % NAMESPACES}`,
    serviceAccount,
    pod: `${serviceAccount}-0`,
  };
}

function makeWorkload(options: CorpusOptions, index: number): Workload {
  const bearer = bearerAt(index);
  const { namespace, serviceAccount } = bearer;
  const spiffeId = `spiffe://${options.trustDomain}/ns/${namespace}/sa/${serviceAccount}`;
  return { ...bearer, message: requestOf(spiffeId) };
}

/** With a CSR of a key of its own. */
export function requestOf(spiffeId: string): Uint8Array {
  const csr = encodePem(makeCsr(spiffeId), "CERTIFICATE REQUEST");
  return toBinary(IstioCertificateRequestSchema, create(IstioCertificateRequestSchema, { csr }));
}

function uint32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

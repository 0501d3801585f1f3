/**
 * The requests that a bench sends, prepared before the clock starts: for each record a fresh token
 * of the shape that Kubernetes mints, and the CSR of the token's workload. The file format is that
 * of load/requests.go.
 */

import type { KeyObject } from "node:crypto";
import { createHash, sign } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { open } from "node:fs/promises";
import { promisify } from "node:util";
import { create, toBinary } from "@bufbuild/protobuf";
import { encodePem } from "../src/core/x509/pem.ts";
import { IstioCertificateRequestSchema } from "../src/gen/istio/v1/auth/ca_pb.ts";
import { makeCsr } from "./csr.ts";

export interface CorpusOptions {
  readonly file: string;
  /** Each has a token of its own. */
  readonly records: number;
  /** Distinct identities, each with its key, pod and CSR; the records go round them. */
  readonly workloads: number;
  /** Names and UIDs follow from it; keys, and with them signatures, cannot. */
  readonly seed: number;
  readonly trustDomain: string;
  readonly tokens: TokenOptions;
}

export interface TokenOptions {
  /** RSA: tokens are RS256, as Kubernetes signs unless told otherwise. */
  readonly signingKey: KeyObject;
  readonly keyId: string;
  readonly issuer: string;
  readonly audience: string;
  readonly nowMs: number;
  readonly ttlSeconds: number;
}

interface Workload {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly pod: string;
  readonly message: Uint8Array;
}

const MAGIC = "PCLOAD1\n";
/** Signatures asked for at once; libuv's pool spreads them over the cores. */
const CHUNK = 256;
const NAMESPACES = 10;
const signAsync = promisify(sign);

/** Writes the requests file, mode 0600: its tokens are good for as long as they live. */
export async function writeCorpus(options: CorpusOptions, signal?: AbortSignal): Promise<void> {
  const workloads = Array.from({ length: options.workloads }, (_, i) => makeWorkload(options, i));
  await using file = await open(options.file, "w", 0o600);
  await file.writeFile(Buffer.concat([Buffer.from(MAGIC), uint32(options.records)]));
  for (let first = 0; first < options.records; first += CHUNK) {
    signal?.throwIfAborted();
    const length = Math.min(CHUNK, options.records - first);
    await writeRecords(file, options, workloads, first, length);
  }
}

async function writeRecords(
  file: FileHandle,
  options: CorpusOptions,
  workloads: readonly Workload[],
  first: number,
  length: number,
): Promise<void> {
  const records = Array.from({ length }, async (_, i) => {
    const workload = workloads[(first + i) % workloads.length];
    if (workload === undefined) throw new RangeError("expected at least one workload, got none");
    const token = Buffer.from(await mintToken(options, workload, first + i));
    return [uint32(token.length), token, uint32(workload.message.length), workload.message];
  });
  await file.writeFile(Buffer.concat((await Promise.all(records)).flat()));
}

function makeWorkload(options: CorpusOptions, index: number): Workload {
  const namespace = `bench-${index % NAMESPACES}`;
  const serviceAccount = `workload-${index}`;
  const spiffeId = `spiffe://${options.trustDomain}/ns/${namespace}/sa/${serviceAccount}`;
  const csr = encodePem(makeCsr(spiffeId), "CERTIFICATE REQUEST");
  const message = toBinary(
    IstioCertificateRequestSchema,
    create(IstioCertificateRequestSchema, { csr }),
  );
  return { namespace, serviceAccount, pod: `${serviceAccount}-0`, message };
}

async function mintToken(
  { tokens, seed }: CorpusOptions,
  workload: Workload,
  record: number,
): Promise<string> {
  const { namespace, serviceAccount, pod } = workload;
  const nowSeconds = Math.floor(tokens.nowMs / 1000);
  const claims = {
    aud: [tokens.audience],
    exp: nowSeconds + tokens.ttlSeconds,
    iat: nowSeconds,
    iss: tokens.issuer,
    jti: uuid(seed, "token", record),
    "kubernetes.io": {
      namespace,
      node: { name: "bench-node", uid: uuid(seed, "node", "bench-node") },
      pod: { name: pod, uid: uuid(seed, "pod", pod) },
      serviceaccount: { name: serviceAccount, uid: uuid(seed, "serviceaccount", serviceAccount) },
    },
    nbf: nowSeconds,
    sub: `system:serviceaccount:${namespace}:${serviceAccount}`,
  };
  const signingInput = `${base64url({ alg: "RS256", kid: tokens.keyId })}.${base64url(claims)}`;
  const signature = await signAsync("sha256", Buffer.from(signingInput), tokens.signingKey);
  return `${signingInput}.${signature.toString("base64url")}`;
}

/** A UUID of version 8 (RFC 9562 5.8): the same for the same seed and name. */
function uuid(seed: number, kind: string, name: string | number): string {
  const bytes = createHash("sha256").update(`${seed}/${kind}/${name}`).digest().subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

function base64url(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

function uint32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

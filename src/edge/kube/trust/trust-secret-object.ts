/**
 * The Secret that has a mesh's trust state: the record, the signing keys that it needs as they lie in the store (encrypted, where there is a
 * passphrase), and the deny list. Without a resource version the API server would replace a Secret whatever it has become, so each write
 * names the one that it follows from.
 */

import { equalBytes } from "../../../core/bytes.ts";
import type { JsonObject } from "../../../core/identity/json-object.ts";
import {
  encodeTrustRecord,
  parseTrustRecord,
  type TrustRecord,
} from "../../../core/kube/trust/trust-record.ts";
import { encodePem, parseSinglePem } from "../../../core/x509/pem.ts";
import { isEncryptedKey } from "../../store/key-at-rest.ts";
import type { KubeConnection } from "../kube-connection.ts";
import { objectOf, objectsOf, textOf } from "../read/raw-object.ts";
import { fieldManager } from "../write/objects.ts";
import { NamedObject } from "./named-object.ts";
import { packDenials, unpackDenials } from "./packed-denials.ts";

export interface SecretContent {
  readonly record: TrustRecord;
  /** PKCS#8 as at rest, by ID. */
  readonly keys: ReadonlyMap<string, Uint8Array>;
  /** JSON; undefined where it is empty, or too large for a Secret. */
  readonly denials: string | undefined;
}

export interface FoundSecret {
  readonly version: string;
  /** Who wrote it last, as `managedFields` has it: for people. */
  readonly manager: string;
  /** Of the Lease, in whose name it was written last; "" where it says none. */
  readonly holder: string;
  /** Undefined: it cannot be read, and `error` says why. */
  readonly content: SecretContent | undefined;
  readonly error?: unknown;
}

const recordKey = "trust.json";
const denialsKey = "deny-list.json.gz";
const keyPattern = /^key\.([A-Za-z0-9_-]{1,64})\.pem$/;
const labels = { "app.kubernetes.io/managed-by": "portcullis" };
/** Without it, the same content written by another holder would be no new version, and nobody would know of that one. */
const holderAnnotation = "portcullis.io/lease-holder";
const query = `?fieldManager=${fieldManager}`;

export interface OwnedSecret {
  readonly namespace: string;
  readonly name: string;
  /** As `leaseHolder` makes it. */
  readonly holder: string;
}

export class TrustSecretObject {
  readonly namespace: string;
  readonly name: string;
  /** In whose name it is written. */
  readonly holder: string;
  readonly #object: NamedObject;

  /** @param deadlineMs of each request */
  constructor(
    connection: KubeConnection,
    { namespace, name, holder }: OwnedSecret,
    deadlineMs: number,
  ) {
    this.namespace = namespace;
    this.name = name;
    this.holder = holder;
    const collection = `/api/v1/namespaces/${namespace}/secrets`;
    this.#object = new NamedObject({ connection, collection, name, deadlineMs });
  }

  /** Undefined where there is none. @throws KubeError; the reason of the signal */
  async read(signal?: AbortSignal): Promise<FoundSecret | undefined> {
    const found = await this.#object.read(signal);
    return found && foundIn(found);
  }

  /**
   * @param version of what it follows from; undefined where there was none
   * @throws KubeError `kube-conflict` where another was faster; the reason of the signal
   */
  async write(
    content: SecretContent,
    version: string | undefined,
    signal?: AbortSignal,
  ): Promise<void> {
    const { name, namespace } = this;
    const annotations = { [holderAnnotation]: this.holder };
    const metadata = { name, namespace, labels, annotations };
    const data = dataOf(content);
    const body = { apiVersion: "v1", kind: "Secret", type: "Opaque", metadata, data };
    await this.#object.write(body, version ?? "", signal, query);
  }
}

/** But for who wrote it. */
export function isSameContent(a: SecretContent, b: SecretContent): boolean {
  const text = ({ record }: SecretContent): string => encodeTrustRecord({ ...record, writer: "" });
  if (a.denials !== b.denials || a.keys.size !== b.keys.size || text(a) !== text(b)) return false;
  return Array.from(a.keys).every(([id, key]) => {
    const other = b.keys.get(id);
    return other !== undefined && equalBytes(key, other);
  });
}

function dataOf({ record, keys, denials }: SecretContent): Readonly<Record<string, string>> {
  const data = new Map<string, Uint8Array>([[recordKey, Buffer.from(encodeTrustRecord(record))]]);
  for (const [id, pkcs8] of keys) data.set(`key.${id}.pem`, Buffer.from(encodeKey(pkcs8)));
  if (denials !== undefined) data.set(denialsKey, packDenials(denials));
  return Object.fromEntries(
    Array.from(data, ([name, bytes]) => [name, Buffer.from(bytes).toString("base64")]),
  );
}

function foundIn(answer: JsonObject): FoundSecret {
  const metadata = objectOf(answer["metadata"]);
  const found = {
    version: textOf(metadata["resourceVersion"]),
    manager: managerOf(metadata),
    holder: textOf(objectOf(metadata["annotations"])[holderAnnotation]),
  };
  try {
    return { ...found, content: contentOf(objectOf(answer["data"])) };
  } catch (error) {
    return { ...found, content: undefined, error };
  }
}

function managerOf(metadata: JsonObject): string {
  const fields = objectsOf(metadata["managedFields"]);
  // Times are whole seconds: what a hand has done in the second of our own write came after it, or nobody would ask.
  const isOurs = (each: JsonObject): number => Number(each["manager"] === fieldManager);
  const newest = fields.toSorted(
    (a, b) => textOf(a["time"]).localeCompare(textOf(b["time"])) || isOurs(b) - isOurs(a),
  );
  return textOf(newest.at(-1)?.["manager"]);
}

/** Nothing of a key is in what it throws. */
function contentOf(data: JsonObject): SecretContent {
  const bytesOf = (name: string): Buffer => Buffer.from(textOf(data[name]), "base64");
  const record = parseTrustRecord(bytesOf(recordKey).toString("utf8"));
  const keys = new Map<string, Uint8Array>();
  for (const name of Object.keys(data)) {
    const id = keyPattern.exec(name)?.[1];
    if (id !== undefined) keys.set(id, decodeKey(bytesOf(name).toString("latin1")));
  }
  const denials = data[denialsKey] === undefined ? undefined : unpackDenials(bytesOf(denialsKey));
  return { record, keys, denials };
}

const plain = "PRIVATE KEY";
const encrypted = "ENCRYPTED PRIVATE KEY";

function encodeKey(pkcs8: Uint8Array): string {
  return encodePem(pkcs8, isEncryptedKey(pkcs8) ? encrypted : plain);
}

function decodeKey(pem: string): Uint8Array {
  return parseSinglePem(pem, pem.includes(encrypted) ? encrypted : plain);
}

/**
 * A token issuer for `portcullis dev` and the demo: it mints what the TokenRequest API of
 * Kubernetes mints, and publishes its key as the API server does. Whoever can read its directory
 * can be anybody, so its issuer and its key IDs say what they are and `server` refuses both. It
 * must never be imported by code that a cluster depends on.
 */

import type { KeyObject } from "node:crypto";
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  randomUUID,
} from "node:crypto";
import { link, lstat, open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { PortcullisError } from "../../core/error.ts";
import { parseServiceAccountSubject } from "../../core/identity/service-account.ts";
import { ensurePrivateDir } from "../../edge/config/private-files.ts";
import { DEV_ISSUER, DEV_KEY_ID_PREFIX } from "../../edge/authn/dev-issuer.ts";

type TokenIssuerErrorCode =
  | "token-issuer-key-unusable"
  | "token-issuer-missing"
  | "token-issuer-foreign";

export class TokenIssuerError extends PortcullisError<TokenIssuerErrorCode> {
  override name = "TokenIssuerError";
}

export interface TokenRequest {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly audiences: readonly string[];
  readonly ttlSeconds: number;
  readonly nowMs: number;
  /** Names of the pod that the token is bound to, and of its node. */
  readonly pod?: { readonly name: string; readonly node?: string };
}

export class TokenIssuer {
  readonly keyId: string;
  /** Where the key set is: what a server verifies these tokens with. */
  readonly jwksPath: string;
  readonly #key: KeyObject;

  private constructor(key: KeyObject, keyId: string, jwksPath: string) {
    this.#key = key;
    this.keyId = keyId;
    this.jwksPath = jwksPath;
  }

  /** For whoever only mints: takes the key that `dev` made there. @throws TokenIssuerError */
  static async openExisting(directory: string): Promise<TokenIssuer> {
    if ((await readIfExists(join(directory, keyFileName))) !== undefined) {
      return await TokenIssuer.open(directory);
    }
    throw new TokenIssuerError("token-issuer-missing", `${directory} has no key of dev's issuer`, {
      hint: `make one: portcullis dev --data-dir ${directory} &`,
    });
  }

  /**
   * Takes the key that the directory has, or makes one, and publishes the key set beside it.
   *
   * @throws TokenIssuerError if there is a key that cannot be used: it is never replaced, because
   * tokens hang on it; and if the directory is somebody else's
   */
  static async open(directory: string): Promise<TokenIssuer> {
    await ensurePrivateDir(directory);
    const keyPath = join(directory, keyFileName);
    const jwksPath = join(directory, "jwks.json");
    const stored = await readIfExists(keyPath);
    if (stored === undefined) await assertNotForeign(directory, jwksPath);
    const key = parseKey(stored ?? (await createKey(keyPath)), keyPath);
    const publicKey = createPublicKey(key);
    // As the API server names its keys: by the digest of the SubjectPublicKeyInfo.
    const digest = createHash("sha256").update(publicKey.export({ format: "der", type: "spki" }));
    const kid = DEV_KEY_ID_PREFIX + digest.digest("base64url");
    const jwk = { use: "sig", kid, alg: "RS256", ...publicKey.export({ format: "jwk" }) };
    const temporary = `${jwksPath}.${randomUUID()}`;
    await writeNew(temporary, `${JSON.stringify({ keys: [jwk] })}\n`, 0o644);
    await rename(temporary, jwksPath);
    return new TokenIssuer(key, kid, jwksPath);
  }

  /** @throws AuthnError `token-subject` if Kubernetes could not have such a service account */
  async mintToken(request: TokenRequest): Promise<string> {
    const { SignJWT } = await import("jose");
    const { namespace, serviceAccount, audiences, ttlSeconds, nowMs, pod } = request;
    const subject = `system:serviceaccount:${namespace}:${serviceAccount}`;
    parseServiceAccountSubject(subject);
    const nowSeconds = Math.floor(nowMs / 1000);
    const bound = {
      namespace,
      ...(pod?.node !== undefined && { node: object("nodes", pod.node) }),
      ...(pod !== undefined && { pod: object(`${namespace}/pods`, pod.name) }),
      serviceaccount: object(`${namespace}/serviceaccounts`, serviceAccount),
    };
    return await new SignJWT({ "kubernetes.io": bound })
      .setProtectedHeader({ alg: "RS256", kid: this.keyId })
      .setIssuer(DEV_ISSUER)
      .setSubject(subject)
      .setAudience([...audiences])
      .setJti(randomUUID())
      .setIssuedAt(nowSeconds)
      .setNotBefore(nowSeconds)
      .setExpirationTime(nowSeconds + ttlSeconds)
      .sign(this.#key);
  }
}

/** A key set or a store that is there before dev's key is not dev's: it must not be written over. */
async function assertNotForeign(directory: string, jwksPath: string): Promise<void> {
  for (const path of [jwksPath, join(directory, "portcullis.db")]) {
    if ((await lstat(path).catch(() => undefined)) === undefined) continue;
    throw new TokenIssuerError("token-issuer-foreign", `${path} was not made by portcullis dev`, {
      hint: "give dev a --data-dir of its own",
    });
  }
}

/** One name, one object, also after a restart: the UID is a digest as a UUIDv8 (RFC 9562 5.8). */
function object(collection: string, name: string): { readonly name: string; readonly uid: string } {
  const bytes = createHash("sha256").update(`${collection}/${name}`).digest().subarray(0, 16);
  bytes[6] = 0x80 | ((bytes[6] ?? 0) & 0x0f);
  bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f);
  const uid = bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
  return { name, uid };
}

function parseKey(pem: string, path: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch (cause) {
    throw unusable(`${path} is not a private key`, cause);
  }
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  if (key.asymmetricKeyType === "rsa" && bits >= RSA_BITS) return key;
  throw unusable(`expected an RSA key of ${RSA_BITS} bits or more in ${path}`);
}

const RSA_BITS = 2048;
const keyFileName = "token-issuer-key.pem";

async function readIfExists(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    if (isErrno(cause, "ENOENT")) return undefined;
    throw unusable(`cannot read ${path}`, cause);
  }
}

/** A link, unlike a rename, leaves the key alone that another process made in the meantime. */
async function createKey(path: string): Promise<string> {
  const { privateKey } = await promisify(generateKeyPair)("rsa", { modulusLength: RSA_BITS });
  const temporary = `${path}.${randomUUID()}`;
  await writeNew(temporary, privateKey.export({ format: "pem", type: "pkcs8" }), 0o600);
  try {
    await link(temporary, path);
  } catch (cause) {
    if (!isErrno(cause, "EEXIST")) throw cause;
  } finally {
    await rm(temporary, { force: true });
  }
  return await readFile(path, "utf8");
}

async function writeNew(path: string, text: string | Buffer, mode: number): Promise<void> {
  await using file = await open(path, "wx", mode);
  await file.writeFile(text);
  await file.sync();
}

function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

function unusable(message: string, cause?: unknown): TokenIssuerError {
  return new TokenIssuerError("token-issuer-key-unusable", message, {
    cause,
    hint: "move the directory away to start with a new key; its tokens will no longer count",
  });
}

/**
 * A signer whose key is in a PKCS#11 token and never leaves it. Every call waits for the token, so
 * it belongs into a thread that may wait. A failure is an error and never a signature: what the
 * token does not sign is not signed.
 */

import type { PublicKey } from "../../core/x509/public-key.ts";
import {
  keyIdOf,
  signatureAlgorithmOf,
  type SignatureAlgorithm,
  type Signer,
} from "../../core/x509/signer.ts";
import { describeFailure, holdModule, restartModule } from "./cryptoki.ts";
import { openKey, type OpenKey } from "./open-key.ts";
import { Pkcs11Error } from "./pkcs11-error.ts";
import { parsePkcs11Uri, type Pkcs11Uri } from "./pkcs11-uri.ts";

/**
 * The pair is proven by one signature. Disposing closes the session and leaves the login of the
 * process alone.
 *
 * @param uri RFC 7512
 * @param publicSpki of the CA certificate: the key must be its; without it the token must have the
 * public key, too
 * @throws Pkcs11Error
 */
export function openPkcs11Signer(uri: string, publicSpki?: Uint8Array): Signer & Disposable {
  return new Pkcs11Signer(parsePkcs11Uri(uri), publicSpki);
}

/**
 * Before a signer is opened whose token was away: the module takes that for gone until it begins
 * anew. All sessions of this process end: only where no other thread has one.
 *
 * @throws Pkcs11Error
 */
export function restartPkcs11(uri: string): void {
  restartModule(parsePkcs11Uri(uri).modulePath);
}

/**
 * Keeps the module in this process while threads that use it come and go. Calls nothing of it, and so waits for no token.
 *
 * @throws Pkcs11Error
 */
export function holdPkcs11(uri: string): void {
  holdModule(parsePkcs11Uri(uri).modulePath);
}

class Pkcs11Signer implements Signer, Disposable {
  readonly id: string;
  readonly publicKey: PublicKey;
  readonly algorithm: SignatureAlgorithm;
  readonly #uri: Pkcs11Uri;
  /** Undefined while there is no session. */
  #key: OpenKey | undefined;
  /** Why no session is opened any more. */
  #end: Pkcs11Error | undefined;

  constructor(uri: Pkcs11Uri, publicSpki: Uint8Array | undefined) {
    this.#uri = uri;
    this.#key = open(uri, publicSpki);
    this.publicKey = this.#key.publicKey;
    this.algorithm = signatureAlgorithmOf(this.publicKey);
    this.id = keyIdOf(this.publicKey.spki);
    Object.freeze(this);
  }

  /** @throws Pkcs11Error `pkcs11-unavailable` */
  sign(bytes: Uint8Array): Uint8Array {
    try {
      if (this.#key !== undefined) return this.#key.sign(bytes);
    } catch {
      // Modules differ in what they call a lost session: any error is worth one new session.
    }
    try {
      return this.#reopen().sign(bytes);
    } catch (cause) {
      throw unavailable(cause);
    }
  }

  [Symbol.dispose](): void {
    this.#end ??= new Pkcs11Error("pkcs11-unavailable", "the signer is closed");
    this.#close();
  }

  #reopen(): OpenKey {
    this.#close();
    if (this.#end !== undefined) throw this.#end;
    try {
      this.#key = open(this.#uri, this.publicKey.spki);
      return this.#key;
    } catch (error) {
      // Each signature would try the PIN again, until the token locks itself.
      const isRejected = error instanceof Pkcs11Error && error.code === "pkcs11-pin-rejected";
      if (isRejected) this.#end = error;
      throw error;
    }
  }

  /** The handle is forgotten, too: the module may give its number to another session. */
  #close(): void {
    this.#key?.close();
    this.#key = undefined;
  }
}

function open(uri: Pkcs11Uri, publicSpki: Uint8Array | undefined): OpenKey {
  try {
    return openKey(uri, publicSpki);
  } catch (error) {
    throw error instanceof Pkcs11Error ? error : unavailable(error);
  }
}

function unavailable(cause: unknown): Pkcs11Error {
  if (!(cause instanceof Pkcs11Error)) {
    const reason = `the token does not sign: ${describeFailure(cause)}`;
    const hint = "is the token there, and does the vendor's tool reach it?";
    return new Pkcs11Error("pkcs11-unavailable", reason, { cause, hint });
  }
  if (cause.code === "pkcs11-unavailable") return cause;
  const options = cause.hint === undefined ? { cause } : { cause, hint: cause.hint };
  return new Pkcs11Error("pkcs11-unavailable", cause.message, options);
}

/**
 * A private key in a token, open for signing: a session of its own, the key's handle, and the proof
 * of the pair.
 */

import { createPublicKey, verify } from "node:crypto";
import type { Handle } from "pkcs11js";
import { PortcullisError } from "../../core/error.ts";
import { parsePublicKey, type PublicKey } from "../../core/x509/public-key.ts";
import { signatureAlgorithmOf } from "../../core/x509/signer.ts";
import { loadModule, readAttribute, readUlong, type CryptokiModule } from "./cryptoki.ts";
import { Pkcs11Error } from "./pkcs11-error.ts";
import type { Pkcs11Uri } from "./pkcs11-uri.ts";
import { chooseScheme } from "./signing-scheme.ts";
import { findPrivateKey, readPublicKey } from "./token-key.ts";
import { closeSession, openSession } from "./token.ts";

export interface OpenKey {
  readonly publicKey: PublicKey;
  /** @throws Pkcs11Error `pkcs11-unavailable`; the module's own errors */
  sign(bytes: Uint8Array): Uint8Array;
  close(): void;
}

/**
 * @param publicSpki the key to be found; without it the token's public key object is believed until
 * it is proven
 * @throws Pkcs11Error; the module's own errors
 */
export function openKey(uri: Pkcs11Uri, publicSpki: Uint8Array | undefined): OpenKey {
  const module = loadModule(uri.modulePath);
  const session = openSession(module, uri);
  try {
    const key = findPrivateKey(module, session, uri.key);
    const publicKey = parseKey(publicSpki ?? readPublicKey(module, session, key));
    assertSameKind(module, session, key, publicKey);
    const sign = signFunction(module, session, key, publicKey);
    assertPair(sign, publicKey);
    return { publicKey, sign, close: () => closeSession(module, session) };
  } catch (error) {
    closeSession(module, session);
    throw error;
  }
}

function parseKey(spki: Uint8Array): PublicKey {
  try {
    return parsePublicKey(spki);
  } catch (cause) {
    if (!(cause instanceof PortcullisError)) throw cause;
    throw new Pkcs11Error("pkcs11-key-unsupported", cause.message, { cause });
  }
}

/**
 * Before the first signature, because a key of another kind would only give an error that does not
 * say so.
 */
function assertSameKind(
  module: CryptokiModule,
  session: Handle,
  key: Handle,
  publicKey: PublicKey,
): void {
  const { CKA_EC_PARAMS, CKA_KEY_TYPE, CKK_EC, CKK_RSA } = module.constants;
  const keyType = Number(readUlong(readAttribute(module, session, key, CKA_KEY_TYPE) ?? noBytes));
  if (keyType !== (publicKey.type === "rsa" ? CKK_RSA : CKK_EC)) throw mismatch();
  if (publicKey.type === "rsa") return;
  const curve = readAttribute(module, session, key, CKA_EC_PARAMS) ?? noBytes;
  // The parameters stand in the key as they are: both are the DER of one object identifier.
  if (!Buffer.from(publicKey.spki).includes(curve)) throw mismatch();
}

function signFunction(
  { constants, functions }: CryptokiModule,
  session: Handle,
  key: Handle,
  publicKey: PublicKey,
): OpenKey["sign"] {
  const slot = functions.C_GetSessionInfo(session).slotID;
  const scheme = chooseScheme(constants, publicKey, functions.C_GetMechanismList(slot));
  const mechanism = { mechanism: scheme.mechanism };
  const out = Buffer.alloc(SIGNATURE_BYTES_MAX);
  return (bytes) => {
    functions.C_SignInit(session, mechanism, key);
    const prepared = Buffer.from(scheme.prepare(bytes));
    return scheme.encode(functions.C_Sign(session, prepared, out));
  };
}

/** Of the longest RSA key that we take, 8,192 bits. */
const SIGNATURE_BYTES_MAX = 1_024;
const noBytes: Uint8Array = new Uint8Array(0);

/** Nothing that a token says of a key is proof; a signature is. */
function assertPair(sign: OpenKey["sign"], publicKey: PublicKey): void {
  const key = createPublicKey({ key: Buffer.from(publicKey.spki), format: "der", type: "spki" });
  if (!verify(signatureAlgorithmOf(publicKey).digest, PROOF, key, sign(PROOF))) throw mismatch();
}

/** No certificate and no token of anything begins like this. */
const PROOF: Uint8Array = Buffer.from("Portcullis: this key signs for its public key");

function mismatch(): Pkcs11Error {
  return new Pkcs11Error(
    "pkcs11-key-mismatch",
    "the token's private key is not the one of the public key",
    {
      hint: "compare object= and id= of the URI with the key that the CA certificate was made for",
    },
  );
}

/** The authority of a `prepare`: a root of our own, or an operator's CA from a directory on this machine. */

import { isAbsolute } from "node:path";
import { createPublicKey, type KeyObject } from "node:crypto";
import { equalBytes } from "../../core/bytes.ts";
import { PortcullisError } from "../../core/error.ts";
import type { PluggedAuthority } from "../../core/trust/plugged-trust.ts";
import { parseCertificate } from "../../core/x509/certificate.ts";
import { readCaDir } from "../../edge/ca/ca-dir.ts";
import { loadKeylessCa, loadPluggedCa } from "../../edge/ca/plugged-ca.ts";
import type { ServerConfig } from "../../edge/config/server-config.ts";
import type { RootKeyType } from "../../edge/config/server-settings.ts";
import type { Store } from "../../edge/store/store.ts";
import { makeOwnAuthority, type MadeAuthority } from "./new-trust.ts";
import { pluggedAuthority } from "./plugged-authority.ts";

/** Of a request for an authority. */
export type AuthorityRequest =
  | { readonly kind: "own"; readonly keyType: RootKeyType }
  /** Absolute path. */
  | { readonly kind: "directory"; readonly path: string };

export class AuthorityError extends PortcullisError<"authority-directory" | "authority-key"> {
  override name = "AuthorityError";
}

/** Nothing is stored yet. @throws AuthorityError, CaFilesError, CaKeyError, PrivateFileError, StoreError */
export async function makeAuthority(
  request: AuthorityRequest,
  store: Pick<Store, "findKey">,
  config: ServerConfig,
  nowMs: number,
): Promise<MadeAuthority> {
  if (request.kind === "own") return await makeOwnAuthority(config, request.keyType, nowMs);
  const { path } = request;
  if (!isAbsolute(path)) {
    throw new AuthorityError("authority-directory", `expected an absolute path, got ${path}`, {
      hint: "the directory is on the server's machine: name it from its root on",
    });
  }
  const { keyFiles } = await readCaDir(path);
  const { caDir, keyPassphraseFile: passphraseFile } = config;
  const { ca, key } =
    keyFiles.length > 0
      ? await loadPluggedCa(path, { passphraseFile, nowMs })
      : { ca: await loadKeylessCa(path, nowMs), key: undefined };
  const plugged = pluggedAuthority(ca);
  const { id, signerId, chain, root } = plugged;
  if (path === caDir) {
    throw new AuthorityError("authority-directory", "expected another directory than --ca-dir", {
      hint: "what changes in --ca-dir is prepared by itself",
    });
  }
  return {
    authority: { id, chain, root, key: "store", signerIds: [signerId], auto: false },
    keys: keysToKeep(plugged, key, store),
  };
}

/** Under the authority's ID, unless the store has it there already. */
function keysToKeep(
  { id, signerId, chain, root }: PluggedAuthority,
  fromFile: KeyObject | undefined,
  store: Pick<Store, "findKey">,
): MadeAuthority["keys"] {
  const { spki } = parseCertificate(chain[0] ?? root);
  const stored = store.findKey(id);
  if (stored !== undefined) {
    if (isKeyOf(stored, spki)) return [];
    throw new AuthorityError("authority-key", `expected the key of ${id}, the store has another`, {
      hint: "give the new CA a subject key identifier of its own",
    });
  }
  const key = fromFile ?? store.findKey(signerId);
  if (key !== undefined) {
    return [{ id, privateKeyPkcs8: key.export({ format: "der", type: "pkcs8" }) }];
  }
  throw new AuthorityError("authority-key", `the key of ${id} is neither there nor in the store`, {
    hint: "put ca-key.pem beside the certificate, or begin with: portcullis root prepare --csr-for-offline-root",
  });
}

function isKeyOf(key: KeyObject, spki: Uint8Array): boolean {
  return equalBytes(createPublicKey(key).export({ format: "der", type: "spki" }), spki);
}

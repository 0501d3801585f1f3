/** The authority of a `prepare`: a root of our own, or an operator's CA from a directory on this machine. */

import { isAbsolute } from "node:path";
import type { KeyObject } from "node:crypto";
import { PortcullisError } from "../../../core/error.ts";
import { isSameDirectory, readCaDir } from "../../../edge/ca/ca-dir.ts";
import type { PluggedCa } from "../../../core/ca/ca-files.ts";
import { readPassphrase } from "../../../edge/ca/key-file.ts";
import { loadKeylessCa, loadPluggedCa } from "../../../edge/ca/plugged-ca.ts";
import { loadSentCa, type SentCa } from "../../../edge/ca/sent-ca.ts";
import type { ServerConfig } from "../../../edge/config/server-config.ts";
import type { RootKeyType } from "../../../edge/config/server-settings.ts";
import type { Store } from "../../../edge/store/store.ts";
import { copyToKeep } from "./kept-keys.ts";
import { makeOwnAuthority, type MadeAuthority } from "../new-trust.ts";
import { pluggedAuthority } from "../plugged-authority.ts";

/** Of a request for an authority. */
export type AuthorityRequest =
  | { readonly kind: "own"; readonly keyType: RootKeyType }
  /** Absolute path. */
  | { readonly kind: "directory"; readonly path: string }
  /** Read elsewhere, with its key. */
  | { readonly kind: "files"; readonly sent: SentCa };

export class AuthorityError extends PortcullisError<
  "authority-directory" | "authority-key" | "authority-roots"
> {
  override name = "AuthorityError";
}

/** Nothing is stored yet. @throws AuthorityError, CaFilesError, CaKeyError, PrivateFileError, StoreError */
export async function makeAuthority(
  request: AuthorityRequest,
  store: Pick<Store, "findKey" | "hasKey">,
  config: ServerConfig,
  nowMs: number,
): Promise<MadeAuthority> {
  if (request.kind === "own") return await makeOwnAuthority(config, request.keyType, nowMs);
  if (request.kind === "files") return await sentAuthority(request.sent, store, config, nowMs);
  const { path } = request;
  if (!isAbsolute(path)) {
    throw new AuthorityError("authority-directory", `expected an absolute path, got ${path}`, {
      hint: "the directory is on the server's machine: name it from its root on",
    });
  }
  const { caDir, keyPassphraseFile: passphraseFile } = config;
  if (caDir !== undefined && (await isSameDirectory(path, caDir))) {
    throw new AuthorityError("authority-directory", "expected another directory than --ca-dir", {
      hint: "what changes in --ca-dir is prepared by itself",
    });
  }
  const { keyFiles } = await readCaDir(path);
  const { ca, key } =
    keyFiles.length > 0
      ? await loadPluggedCa(path, { passphraseFile, nowMs })
      : { ca: await loadKeylessCa(path, nowMs), key: undefined };
  return madeOf(ca, (id) => keysToKeep(store, id, key));
}

async function sentAuthority(
  sent: SentCa,
  store: Pick<Store, "hasKey">,
  { keyPassphraseFile }: ServerConfig,
  nowMs: number,
): Promise<MadeAuthority> {
  const passphrase = await readPassphrase(keyPassphraseFile);
  const { ca, key } = loadSentCa(sent, { passphrase, nowMs });
  const { length } = ca.roots;
  if (length === 1) return madeOf(ca, (id) => copyToKeep(store, id, key));
  const message = `expected one root in ${sent.from}, got ${length}: what hangs on the others would be refused`;
  throw new AuthorityError("authority-roots", message, {
    hint: "trust them all by starting the server with --ca-dir and these files; then: portcullis root rotate",
  });
}

function madeOf(ca: PluggedCa, keysOf: (id: string) => MadeAuthority["keys"]): MadeAuthority {
  const { id, chain, root } = pluggedAuthority(ca);
  return { authority: { id, chain, root, key: "store", auto: false }, keys: keysOf(id) };
}

function keysToKeep(
  store: Pick<Store, "findKey" | "hasKey">,
  id: string,
  fromFile: KeyObject | undefined,
): MadeAuthority["keys"] {
  if (fromFile !== undefined) return copyToKeep(store, id, fromFile);
  // Opened: one that is under another passphrase would not sign.
  if (store.findKey(id) !== undefined) return [];
  throw new AuthorityError("authority-key", `the key of ${id} is neither there nor in the store`, {
    hint: "put ca-key.pem beside the certificate, or begin with: portcullis root prepare --csr-for-offline-root",
  });
}

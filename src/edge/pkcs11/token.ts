/**
 * From a URI to a session with its token, logged in. A PIN is tried once: a token that counts would
 * lock itself.
 */

import type { Handle, TokenInfo } from "pkcs11js";
import { describeFailure, hasFailedWith, readUlong, type CryptokiModule } from "./cryptoki.ts";
import { readPin } from "./pin-file.ts";
import { Pkcs11Error } from "./pkcs11-error.ts";
import type { Pkcs11Uri, TokenCriteria } from "./pkcs11-uri.ts";

/** @throws Pkcs11Error `pkcs11-token-*`, `pkcs11-pin-*`; the module's own errors */
export function openSession(module: CryptokiModule, uri: Pkcs11Uri): Handle {
  const { constants, functions } = module;
  const { slot, info } = findToken(module, uri.token);
  const session = functions.C_OpenSession(slot, constants.CKF_SERIAL_SESSION);
  try {
    if ((info.flags & constants.CKF_LOGIN_REQUIRED) !== 0) logIn(module, session, uri.pinFile);
    return session;
  } catch (error) {
    closeSession(module, session);
    throw error;
  }
}

/** Without C_Logout, which would log out every other session of this process with the token. */
export function closeSession({ functions }: CryptokiModule, session: Handle): void {
  try {
    functions.C_CloseSession(session);
  } catch {
    // It is closed already, or its token is gone.
  }
}

interface FoundToken {
  readonly slot: Handle;
  readonly info: TokenInfo;
}

function findToken(module: CryptokiModule, criteria: TokenCriteria): FoundToken {
  const tokens = listTokens(module);
  const matching = tokens.filter((token) => isMatch(token, criteria));
  const [only, second] = matching;
  if (only !== undefined && second === undefined) return only;
  const listed = (found: readonly FoundToken[]): string =>
    found
      .slice(0, TOKENS_LISTED_MAX)
      .map(({ info }) => `${JSON.stringify(trim(info.label))} (serial ${trim(info.serialNumber)})`)
      .join(", ") || "none";
  if (only === undefined) {
    throw new Pkcs11Error(
      "pkcs11-token-not-found",
      `expected the token of the URI, got: ${listed(tokens)}`,
      {
        hint: "is the token there, and does the vendor's tool list it under the names of the URI?",
      },
    );
  }
  throw new Pkcs11Error(
    "pkcs11-token-ambiguous",
    `expected one token to match the URI, got: ${listed(matching)}`,
    { hint: "add serial=SERIAL to the URI" },
  );
}

const TOKENS_LISTED_MAX = 8;

function listTokens({ constants, functions }: CryptokiModule): FoundToken[] {
  return functions.C_GetSlotList(true).flatMap((slot) => {
    try {
      const info = functions.C_GetTokenInfo(slot);
      return (info.flags & constants.CKF_TOKEN_INITIALIZED) === 0 ? [] : [{ slot, info }];
    } catch (error) {
      // Another slot's token, broken or pulled out meanwhile, is none of our business.
      const { CKR_TOKEN_NOT_PRESENT, CKR_TOKEN_NOT_RECOGNIZED } = constants;
      if (hasFailedWith(error, CKR_TOKEN_NOT_PRESENT, CKR_TOKEN_NOT_RECOGNIZED)) return [];
      throw error;
    }
  });
}

function isMatch({ slot, info }: FoundToken, criteria: TokenCriteria): boolean {
  const { label, manufacturer, model, serial, slotId } = criteria;
  const pairs = [
    [label, info.label],
    [manufacturer, info.manufacturerID],
    [model, info.model],
    [serial, info.serialNumber],
  ] as const;
  if (slotId !== undefined && slotId !== readUlong(slot)) return false;
  return pairs.every(([wanted, found]) => wanted === undefined || trim(wanted) === trim(found));
}

/** Fields of a fixed length are padded with blanks (PKCS#11 3.1, 3.2), by some modules with NUL. */
function trim(field: string): string {
  return field.replace(/[ \0]+$/, "");
}

function logIn(module: CryptokiModule, session: Handle, pinFile: string | undefined): void {
  const { constants, functions } = module;
  if (pinFile === undefined) {
    throw new Pkcs11Error("pkcs11-pin-missing", "the token requires a PIN, and the URI has none", {
      hint: "add pin-source=/FILE to the URI's query",
    });
  }
  try {
    functions.C_Login(session, constants.CKU_USER, readPin(pinFile));
  } catch (error) {
    if (hasFailedWith(error, constants.CKR_USER_ALREADY_LOGGED_IN)) return;
    if (!/^CKR_(?:USER_)?PIN_/.test(describeFailure(error))) throw error;
    throw new Pkcs11Error(
      "pkcs11-pin-rejected",
      `${pinFile}: the token does not take this PIN: ${describeFailure(error)}`,
      { hint: "mend the file before the next try: a token locks itself after a few wrong PINs" },
    );
  }
}

/** Without pkcs11js, which npm leaves out where it cannot be built. */

import assert from "node:assert/strict";
import { registerHooks } from "node:module";
import { it } from "node:test";
import { openPkcs11Signer } from "../../src/edge/pkcs11/pkcs11-signer.ts";
import { assertPkcs11Error } from "../support/softhsm.ts";

it("says what to install when the library is not there", () => {
  const hooks = registerHooks({
    resolve: (specifier, context, next) => {
      if (specifier === "pkcs11js") throw new Error("cannot find pkcs11js");
      return next(specifier, context);
    },
  });
  try {
    const open = (): unknown => openPkcs11Signer("pkcs11:token=ca?module-path=/module.so");
    const { hint } = assertPkcs11Error("pkcs11-library-missing", open);
    assert.match(hint ?? "", /npm install pkcs11js/);
  } finally {
    hooks.deregister();
  }
});

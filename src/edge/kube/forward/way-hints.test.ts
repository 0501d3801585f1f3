/** What is said to do where the way to a server ends. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { KubeError } from "../kube-error.ts";
import { handshakeHint, orUnreachable } from "./way-hints.ts";

const at = { namespace: "mesh", pod: "portcullis-0" };
const failed = (code: string): Error => Object.assign(new Error("no"), { code });

describe("a handshake with a server's pod that fails", () => {
  it("is of a wrong clock where the certificate is not valid yet, or any more", () => {
    for (const code of ["CERT_NOT_YET_VALID", "CERT_HAS_EXPIRED"]) {
      assert.match(
        handshakeHint(failed(code), at) ?? "",
        /compare date -u here with kubectl --namespace mesh exec portcullis-0 -- date -u;/,
      );
    }
  });

  it("is of a server that does not serve there where nobody answers", () => {
    const errors = [new KubeError("kube-unreachable", "cut"), failed("ECONNRESET"), new Error("")];
    for (const each of errors) assert.match(handshakeHint(each, at) ?? "", /does not serve/);
  });

  it("says itself what is wrong where another certificate is shown", () => {
    assert.equal(handshakeHint(failed("ERR_TLS_CERT_ALTNAME_INVALID"), at), undefined);
  });
});

it("an API server that is not reached is to be looked for, and what it refuses is told as it is", async () => {
  const away = new KubeError("kube-unreachable", "ECONNREFUSED");
  await assert.rejects(orUnreachable(Promise.reject(away)), { hint: /kubectl cluster-info/ });
  const no = new KubeError("kube-forbidden", "no");
  await assert.rejects(orUnreachable(Promise.reject(no)), no);
});

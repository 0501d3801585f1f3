import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { isWaivable, laggardName, laggardNameLengthMax } from "./laggard-name.ts";
import { laggardKinds } from "./laggard.ts";

const web = "spiffe://td/web";
const kind = fc.constantFrom(...laggardKinds);
const id = fc.oneof(fc.string({ unit: "binary" }), fc.string({ maxLength: 2_048 }));

describe("the name of a laggard", () => {
  it("is what it always was for what can be read", () => {
    assert.equal(laggardName("agent", "a-1", web), `agent/a-1@${web}`);
    assert.equal(laggardName("workload-api", "7", web), `workload-api/7@${web}`);
    const node = "sidecar~10.0.0.1~web-0.shop~shop.svc.cluster.local";
    assert.equal(laggardName("proxy", node, web), `proxy/${node}@${web}`);
    assert.equal(laggardName("leaf", "0a1b", web), "leaf/0a1b");
    assert.equal(laggardName("class", "files", ""), "class/files");
  });

  it("is escaped where an ID cannot be typed, or means something in a selector", () => {
    const escaped = `proxy/a%20b%0a%e2%80%ae%40%2a%25@${web}`;
    assert.equal(laggardName("proxy", "a b\n\u202e@*%", web), escaped);
  });

  it("can be waived, whatever the ID is, but for the server's own", () => {
    fc.assert(
      fc.property(kind, id, (one, text) => {
        const name = laggardName(one, text, `spiffe://${"t".repeat(255)}/${"p".repeat(1_783)}`);
        assert.ok(name.length <= laggardNameLengthMax);
        assert.equal(isWaivable(name), one !== "server");
      }),
    );
  });

  it("is another one for another ID", () => {
    fc.assert(
      fc.property(kind, id, id, (one, a, b) => {
        const [first, second] = [a, b].map((text) => laggardName(one, text.toWellFormed(), web));
        assert.equal(first === second, a.toWellFormed() === b.toWellFormed());
      }),
    );
    const long = "x".repeat(3_000);
    const names = [long, `${long}x`].map((text) => laggardName("proxy", text, web));
    assert.notEqual(names[0], names[1]);
    const [name = ""] = names;
    const cut = name.slice("proxy/".length, name.indexOf("@"));
    assert.notEqual(laggardName("proxy", cut, web), name);
  });

  it("is none that stands for everybody, or for nobody", () => {
    for (const name of ["", "class", "proxies/a@b", "class/a b", "class/a\nb", "server/clock"]) {
      assert.equal(isWaivable(name), false, name);
    }
  });
});

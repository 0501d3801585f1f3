import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import * as fc from "fast-check";
import { TrustDomain } from "../spiffe/id.ts";
import { AuthnError, type AuthnErrorCode } from "./authn-error.ts";
import type { JsonObject } from "./json-object.ts";
import { parseJwtSvidClaims, type JwtSvidClaims } from "./jwt-svid.ts";

const NOW_MS = 1_795_521_600_250;
const NOW = Math.floor(NOW_MS / 1_000);
const rules = { trustDomain: TrustDomain.parse("cluster.local"), audience: "db" };
const good = { sub: "spiffe://cluster.local/ns/shop/sa/cart", aud: ["db"], exp: NOW + 300 };

function parse(changes: JsonObject = {}, nowMs = NOW_MS): JwtSvidClaims {
  return parseJwtSvidClaims({ ...good, ...changes }, rules, nowMs);
}

function assertRefused(code: AuthnErrorCode, changes: JsonObject, nowMs = NOW_MS): void {
  assert.throws(
    () => parse(changes, nowMs),
    (error) => {
      assert.ok(error instanceof AuthnError, inspect(error));
      assert.equal(error.code, code);
      return true;
    },
  );
}

describe("the claims of a JWT-SVID", () => {
  it("JW-4: may be sub, aud and exp alone", () => {
    const claims = parse();
    assert.equal(claims.id.toString(), good.sub);
    assert.deepEqual(claims.audiences, ["db"]);
    assert.deepEqual(claims.validity, { notBeforeMs: undefined, expiresAtMs: (NOW + 300) * 1_000 });
    assert.ok(Object.isFrozen(claims) && Object.isFrozen(claims.audiences));
  });

  it("may say more, of which only iat and nbf count", () => {
    const { id, validity } = parse({
      iss: "x",
      azp: [],
      iat: NOW - 60,
      nbf: NOW - 30,
      jti: "4f2c",
    });
    assert.equal(id.toString(), good.sub);
    assert.equal(validity.notBeforeMs, (NOW - 30) * 1_000);
  });

  for (const claim of ["sub", "aud", "exp"]) {
    it(`JW-4: are refused without ${claim}`, () => {
      assertRefused("token-claims", { [claim]: undefined });
    });
  }
});

describe("the subject of a JWT-SVID", () => {
  const others = [null, 1, true, ["spiffe://cluster.local/a"], { id: "spiffe://cluster.local/a" }];
  for (const sub of others) {
    it(`is not ${inspect(sub)}`, () => {
      assertRefused("token-claims", { sub });
    });
  }

  const refused = [
    "",
    "cart",
    "system:serviceaccount:shop:cart",
    "https://cluster.local/ns/shop/sa/cart",
    "SPIFFE://cluster.local/ns/shop/sa/cart",
    "spiffe://Cluster.local/ns/shop/sa/cart",
    "spiffe://",
    "spiffe:///ns/shop",
    "spiffe://cluster.local",
    "spiffe://cluster.local/",
    "spiffe://cluster.local/cart/",
    "spiffe://cluster.local//cart",
    "spiffe://cluster.local/ns/../cart",
    "spiffe://cluster.local/ns/%63art",
    "spiffe://cluster.local/cart?x=1",
    "spiffe://cluster.local/cart#x",
    "spiffe://cluster.local:443/cart",
    "spiffe://user@cluster.local/cart",
    " spiffe://cluster.local/cart",
    "spiffe://cluster.local/cart\n",
    `spiffe://cluster.local/${"a".repeat(2_048)}`,
    "spiffe://other.example/ns/shop/sa/cart",
    "spiffe://a.cluster.local/cart",
    "spiffe://cluster.local.example/cart",
    "spiffe://cluster.loca/cart",
  ];
  for (const sub of refused) {
    it(`is not ${JSON.stringify(sub.slice(0, 60))}`, () => {
      assertRefused("token-subject", { sub });
    });
  }

  it("may have any path, and comes out as it went in", () => {
    const segment = fc.stringMatching(/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,20}$/);
    fc.assert(
      fc.property(fc.array(segment, { minLength: 1, maxLength: 6 }), (segments) => {
        const sub = `spiffe://cluster.local/${segments.join("/")}`;
        assert.equal(parse({ sub }).id.toString(), sub);
      }),
    );
  });
});

describe("the audience of a JWT-SVID", () => {
  it("may be one string, a list of one, or one of many", () => {
    for (const aud of ["db", ["db"], ["web", "db"], ["db", "db"]]) {
      assert.deepEqual(parse({ aud }).audiences, [aud].flat());
    }
  });

  it("must be the validator's to the letter", () => {
    for (const aud of [[], "", [""], "DB", "d", "db ", "dbx", "web", ["d", "b"], ["web", "DB"]]) {
      assertRefused("token-audience", { aud });
    }
  });

  it("is refused when it is of another type, whatever else is in the list", () => {
    for (const aud of [null, 1, true, { 0: "db" }, ["db", 1], ["db", null], [["db"]]]) {
      assertRefused("token-claims", { aud });
    }
  });
});

describe("the time of a JWT-SVID", () => {
  it("ends at the millisecond of exp", () => {
    const expiresAtMs = good.exp * 1_000;
    parse({}, expiresAtMs - 1);
    assertRefused("token-expired", {}, expiresAtMs);
    assertRefused("token-expired", { exp: 0 });
  });

  for (const claim of ["nbf", "iat"]) {
    it(`begins at ${claim}, but for 10 seconds between two clocks`, () => {
      const changes = { [claim]: NOW + 10 };
      parse(changes, NOW * 1_000);
      assertRefused("token-not-yet-valid", changes, NOW * 1_000 - 1);
    });
  }

  it("does not hold for a clock that reads no time", () => {
    assertRefused("token-expired", {}, Number.NaN);
    assertRefused("token-expired", { iat: NOW }, Number.NaN);
  });

  for (const claim of ["exp", "nbf", "iat"]) {
    it(`is refused for a ${claim} that is not whole seconds`, () => {
      const seconds = String(NOW + 300);
      for (const time of [null, "", seconds, true, [NOW], {}, -1, NOW + 0.5, 1e300, Infinity]) {
        assertRefused("token-claims", { [claim]: time });
      }
    });
  }

  it("is from the later of nbf and iat, less 10 seconds, until before exp", () => {
    const seconds = fc.integer({ min: NOW - 20, max: NOW + 20 });
    const clock = fc.integer({ min: -30_000, max: 30_000 }).map((ms) => NOW * 1_000 + ms);
    fc.assert(
      fc.property(seconds, seconds, seconds, clock, (exp, nbf, iat, nowMs) => {
        const holds = nowMs < exp * 1_000 && Math.max(nbf, iat) * 1_000 - 10_000 <= nowMs;
        if (holds) parse({ exp, nbf, iat }, nowMs);
        else assert.throws(() => parse({ exp, nbf, iat }, nowMs), AuthnError);
      }),
      { numRuns: 500 },
    );
  });
});

it("is a value for this audience and trust domain or an AuthnError, whatever the claims", () => {
  const name = fc.constantFrom("sub", "aud", "exp", "nbf", "iat", "jti", "iss", "__proto__");
  const value = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom(...Object.values(good)));
  fc.assert(
    fc.property(fc.dictionary(name, value, { maxKeys: 3 }), (changes) => {
      try {
        const { id, audiences, validity } = parse(changes);
        assert.equal(id.trustDomain.name, "cluster.local");
        assert.ok(audiences.includes("db") && NOW_MS < validity.expiresAtMs);
      } catch (error) {
        assert.ok(error instanceof AuthnError, inspect(error));
      }
    }),
    { numRuns: 1_000 },
  );
});

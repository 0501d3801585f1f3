import assert from "node:assert/strict";
import { describe, it } from "node:test";

import * as fc from "fast-check";
import vectors from "../../../test/vectors/spiffe-id.json" with { type: "json" };
import { SpiffeId, SpiffeIdError, TrustDomain } from "./id.ts";
import type { SpiffeIdErrorCode } from "./id.ts";

const td = TrustDomain.parse("trustdomain");

/** The error's code, or what `make` made. */
function outcome<T>(make: () => T): T | SpiffeIdErrorCode {
  try {
    return make();
  } catch (error) {
    assert.ok(error instanceof SpiffeIdError);
    return error.code;
  }
}

describe("go-spiffe's vectors", () => {
  /** By the start of the reason. */
  const codes: readonly (readonly [string, SpiffeIdErrorCode])[] = [
    ["cannot be empty", "spiffe-id-empty"],
    ["scheme is missing or invalid", "spiffe-id-scheme-invalid"],
    ["trust domain is missing", "trust-domain-missing"],
    ["trust domain characters are limited", "trust-domain-bad-character"],
    ["trust domain over 255 bytes", "trust-domain-too-long"],
    ["spec 2.1: userinfo", "trust-domain-bad-character"],
    ["spec 2.1: port", "trust-domain-bad-character"],
    ["spec 2.1: IPv6", "trust-domain-bad-character"],
    ["spec 2.2: char set", "path-bad-character"],
    ["path segment characters are limited", "path-bad-character"],
    ["path cannot contain dot segments", "path-dot-segment"],
    ["path cannot contain empty segments", "path-empty-segment"],
    ["path cannot have a trailing slash", "path-trailing-slash"],
    ["path must have a leading slash", "path-no-leading-slash"],
  ];

  const readers: Readonly<Record<string, (text: string) => string>> = {
    id: (text) => SpiffeId.parse(text).toString(),
    trust_domain: (text) =>
      text.includes("://")
        ? SpiffeId.parse(text).trustDomain.id.toString() + SpiffeId.parse(text).path
        : TrustDomain.parse(text).toString(),
    path: (text) => SpiffeId.fromPath(td, text).path,
    segments: (text) =>
      text
        .split("|")
        .map((segment) => SpiffeId.forServiceAccount(td, "ns", segment).path.split("/").at(-1))
        .join("|"),
  };

  for (const { id, valid, reason, kind } of vectors) {
    it(`${valid ? "accepts" : "rejects"} the ${kind} ${JSON.stringify(id)}`, () => {
      const expected = valid ? id : codes.find(([start]) => reason.startsWith(start))?.[1];
      assert.notEqual(expected, undefined, `no code for the reason ${reason}`);
      assert.equal(
        outcome(() => readers[kind]?.(id)),
        expected,
      );
    });
  }
});

describe("every byte value at every kind of position", () => {
  const trustDomainCharacters = "abcdefghijklmnopqrstuvwxyz0123456789._-";
  const pathCharacters = `ABCDEFGHIJKLMNOPQRSTUVWXYZ${trustDomainCharacters}`;
  const bytes = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte));

  const positions: readonly (readonly [string, (byte: string) => string])[] = [
    ["start of the trust domain", (byte) => `spiffe://${byte}td/a`],
    ["middle of the trust domain", (byte) => `spiffe://t${byte}d/a`],
    ["end of the trust domain", (byte) => `spiffe://td${byte}/a`],
    ["start of a segment", (byte) => `spiffe://td/a/${byte}bc/d`],
    ["middle of a segment", (byte) => `spiffe://td/a/b${byte}c/d`],
    ["end of a segment", (byte) => `spiffe://td/a/bc${byte}/d`],
    ["end of the path", (byte) => `spiffe://td/a/bc${byte}`],
  ];

  /** SPIFFE-ID 2.1 and 2.2, where a slash ends the trust domain or a segment. */
  const slashes: Readonly<Record<string, SpiffeIdErrorCode | "valid">> = {
    "start of the trust domain": "trust-domain-missing",
    "middle of the trust domain": "valid",
    "end of the trust domain": "path-empty-segment",
    "start of a segment": "path-empty-segment",
    "middle of a segment": "valid",
    "end of a segment": "path-empty-segment",
    "end of the path": "path-trailing-slash",
  };

  for (const [position, place] of positions) {
    it(`admits exactly the characters of the rule at the ${position}`, () => {
      const inTrustDomain = position.endsWith("trust domain");
      const allowed = inTrustDomain ? trustDomainCharacters : pathCharacters;
      for (const byte of bytes) {
        const refusal = inTrustDomain ? "trust-domain-bad-character" : "path-bad-character";
        const verdict = allowed.includes(byte) ? "valid" : refusal;
        const rule = byte === "/" ? slashes[position] : verdict;
        const uri = place(byte);
        assert.equal(
          outcome(() => SpiffeId.parse(uri).toString()),
          rule === "valid" ? uri : rule,
        );
      }
    });
  }
});

describe("lengths", () => {
  const longest = "a".repeat(255);

  it("accepts a trust domain of 255 bytes and rejects one of 256", () => {
    assert.equal(TrustDomain.parse(longest).name, longest);
    assert.throws(() => TrustDomain.parse(`${longest}a`), {
      name: "SpiffeIdError",
      code: "trust-domain-too-long",
    });
  });

  it("accepts an ID of 2048 bytes and rejects one of 2049, whatever way it came in", () => {
    const path = `/${"p".repeat(2048 - "spiffe://trustdomain/".length)}`;
    assert.equal(SpiffeId.fromPath(td, path).toString().length, 2048);
    assert.equal(SpiffeId.parse(`spiffe://trustdomain${path}`).path, path);
    const tooLong = { name: "SpiffeIdError", code: "spiffe-id-too-long" };
    assert.throws(() => SpiffeId.fromPath(td, `${path}p`), tooLong);
    assert.throws(() => SpiffeId.parse(`spiffe://trustdomain${path}p`), tooLong);
    assert.throws(() => SpiffeId.forServiceAccount(td, "ns", "s".repeat(2048)), tooLong);
  });

  it("says so before it looks at anything else", () => {
    assert.throws(() => SpiffeId.parse("x".repeat(2049)), { code: "spiffe-id-too-long" });
  });

  it("counts bytes only of what is made of one-byte characters", () => {
    const twoBytes = "\u00e9".repeat(255);
    assert.throws(() => TrustDomain.parse(twoBytes), { code: "trust-domain-bad-character" });
  });
});

describe("the ID of a service account", () => {
  it("has the layout ns/NAMESPACE/sa/NAME", () => {
    const id = SpiffeId.forServiceAccount(TrustDomain.parse("cluster.local"), "default", "web");
    assert.equal(id.toString(), "spiffe://cluster.local/ns/default/sa/web");
    assert.equal(id.path, "/ns/default/sa/web");
  });

  for (const [name, code] of [
    ["", "path-empty-segment"],
    [".", "path-dot-segment"],
    ["..", "path-dot-segment"],
    ["a/sa/b", "path-bad-character"],
    ["/", "path-bad-character"],
    ["a%2fb", "path-bad-character"],
    ["a b", "path-bad-character"],
    ["web\0", "path-bad-character"],
    ["web\n", "path-bad-character"],
    ["system:serviceaccount", "path-bad-character"],
  ] as const) {
    it(`rejects ${JSON.stringify(name)} as namespace and as name`, () => {
      const expected = { name: "SpiffeIdError", code };
      assert.throws(() => SpiffeId.forServiceAccount(td, name, "web"), expected);
      assert.throws(() => SpiffeId.forServiceAccount(td, "default", name), expected);
    });
  }
});

describe("values", () => {
  it("are frozen", () => {
    assert.ok(Object.isFrozen(td));
    assert.ok(Object.isFrozen(SpiffeId.parse("spiffe://trustdomain/a")));
  });

  it("are equal exactly when their text is", () => {
    const a = SpiffeId.parse("spiffe://trustdomain/a");
    assert.ok(a.equals(SpiffeId.fromPath(td, "/a")));
    assert.ok(!a.equals(SpiffeId.parse("spiffe://trustdomain/A")));
    assert.ok(!a.equals(SpiffeId.parse("spiffe://trustdomain2/a")));
    assert.ok(td.equals(a.trustDomain));
    assert.ok(!td.equals(TrustDomain.parse("trustdomain2")));
  });

  it("give the ID of a trust domain, which has no path", () => {
    assert.equal(td.id.toString(), "spiffe://trustdomain");
    assert.equal(td.id.path, "");
    assert.equal(td.id, td.id);
  });
});

describe("properties", () => {
  const rule = /^spiffe:\/\/[a-z0-9._-]{1,255}(?:\/(?!\.{1,2}(?:\/|$))[a-zA-Z0-9._-]+)*$/;
  const likely = fc
    .array(
      fc.constantFrom("spiffe", "SPIFFE", ":", "//", "/", ".", "..", "td", "A", "-", "_", "%", "@"),
    )
    .map((parts) => `spiffe://${parts.join("")}`);

  it("accepts exactly what the rule of SPIFFE-ID 2 says, and gives back what it read", () => {
    fc.assert(
      fc.property(fc.oneof(likely, fc.string({ unit: "binary" })), (text) => {
        const read = outcome(() => SpiffeId.parse(text).toString());
        if (rule.test(text) && text.length <= 2048) assert.equal(read, text);
        else assert.notEqual(read, text);
      }),
      { numRuns: 5000 },
    );
  });

  it("splits an ID into the parts that make it again", () => {
    const trustDomain = fc.stringMatching(/^[a-z0-9._-]{1,30}$/);
    const segment = fc
      .stringMatching(/^[a-zA-Z0-9._-]{1,30}$/)
      .filter((text) => text !== "." && text !== "..");
    fc.assert(
      fc.property(trustDomain, fc.array(segment), (name, segments) => {
        const path = segments.map((text) => `/${text}`).join("");
        const id = SpiffeId.parse(`spiffe://${name}${path}`);
        assert.equal(id.trustDomain.name, name);
        assert.equal(id.path, path);
        assert.ok(SpiffeId.fromPath(id.trustDomain, id.path).equals(id));
      }),
    );
  });
});

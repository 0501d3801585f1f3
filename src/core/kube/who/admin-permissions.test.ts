import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import {
  AdminService,
  AdoptRootSchema,
  CompromiseRootSchema,
  PrepareRootSchema,
} from "../../../gen/portcullis/admin/v1/admin_pb.ts";
import {
  adminPermissions,
  permissionsFor,
  permissionText,
  type AskedContent,
} from "./admin-permissions.ts";

const words = (method: string, asked: AskedContent = {}): string => {
  const all = permissionsFor(method, asked).map(permissionText);
  return all.length === 0 ? "nothing" : all.join(" and ");
};

describe("the table of permissions", () => {
  it("has a permission for each method, and none for what is no method", () => {
    for (const { localName } of AdminService.methods) {
      const asked = localName === "changeRoot" ? { command: { case: "abort" } } : {};
      assert.notEqual(words(localName, asked), "nothing", localName);
    }
    for (const name of ["", "GetStatus", "toString", "__proto__"]) {
      assert.equal(words(name), "nothing", name);
    }
  });

  it("has one for each step of a rotation, and none for a request without a step", () => {
    const [command] = AdminService.method.changeRoot.input.oneofs;
    const steps = command?.fields.map(({ localName }) => localName) ?? [];
    assert.ok(steps.length >= 6);
    for (const step of steps) {
      assert.equal(words("changeRoot", { command: { case: step } }), `${step} roots.portcullis.io`);
    }
    for (const command of ["activate", {}, { case: "toString" }, { case: undefined }]) {
      assert.equal(words("changeRoot", { command }), "nothing");
    }
  });

  it("asks for `get` where nothing is changed", () => {
    const dry = { dryRun: true };
    for (const step of ["activate", "rollback", "retire", "abort", "compromise"]) {
      const asked = { ...dry, command: { case: step, value: {} } };
      assert.equal(words("changeRoot", asked), "get roots.portcullis.io", step);
    }
    assert.equal(words("changeResources", dry), "get resources.portcullis.io");
    for (const method of ["startFlip", "revertFlip", "makePermissive"]) {
      assert.equal(words(method, dry), "get mtls.portcullis.io");
    }
    // No field of theirs: whoever sends one changes something all the same.
    assert.equal(words("addDenial", dry), "create denials.portcullis.io");
    assert.equal(words("acceptClock", dry), "accept clock.portcullis.io");
  });

  it("asks for `adopt` where another's CA is taken over, also from the server's own disk", () => {
    for (const dryRun of [false, true]) {
      const prepare = (value: object) => ({ dryRun, command: { case: "prepare", value } });
      const own = create(PrepareRootSchema, { keyType: "p384" });
      const other = create(PrepareRootSchema, { fromDir: "/ca" });
      assert.equal(words("changeRoot", prepare(own)), "prepare roots.portcullis.io");
      assert.equal(words("changeRoot", prepare(other)), "adopt roots.portcullis.io");
    }
  });

  it("asks for both where a compromised root is followed by another's CA", () => {
    for (const dryRun of [false, true]) {
      const replacement = create(PrepareRootSchema, { fromDir: "/ca" });
      const value = create(CompromiseRootSchema, { authorityId: "a", replacement });
      const asked = { dryRun, command: { case: "compromise", value } };
      const both = "compromise roots.portcullis.io and adopt roots.portcullis.io";
      assert.equal(words("changeRoot", asked), both);
    }
  });

  it("asks for the step itself for a dry run that reads files or makes a key", () => {
    const replacement = create(PrepareRootSchema);
    const value = create(CompromiseRootSchema, { authorityId: "a", replacement });
    const asked = (value: object) => ({ dryRun: true, command: { case: "compromise", value } });
    assert.equal(words("changeRoot", asked(value)), "compromise roots.portcullis.io");
    const bare = create(CompromiseRootSchema, { authorityId: "a" });
    assert.equal(words("changeRoot", asked(bare)), "get roots.portcullis.io");
    const adopt = { dryRun: true, command: { case: "adopt", value: create(AdoptRootSchema) } };
    assert.equal(words("changeRoot", adopt), "adopt roots.portcullis.io");
  });

  it("has no method that changes something, and whose request could not say who does it", () => {
    const nameless = AdminService.methods.filter(({ localName, input }) => {
      const asked = { command: { case: "abort" } };
      const isReading = permissionsFor(localName, asked).every(({ verb }) => verb === "get");
      return !isReading && input.fields.every(({ name }) => name !== "operator");
    });
    assert.deepEqual(
      nameless.map(({ name }) => name),
      [],
    );
  });

  it("lists all that there is to grant, each once", () => {
    const all = adminPermissions().map(permissionText);
    assert.equal(new Set(all).size, all.length);
    for (const each of ["activate roots", "flip mtls", "apply resources", "get status"]) {
      assert.ok(all.includes(`${each}.portcullis.io`), each);
    }
  });
});

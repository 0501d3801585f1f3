/** The API that an Envoy has, out of Envoy itself: its binary carries the descriptors of all its messages. */

import { fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, type FileDescriptorProto } from "@bufbuild/protobuf/wkt";
import { BinaryReader } from "@bufbuild/protobuf/wire";

/** Field 1 is the name and 2 the package; 12 is the syntax, which comes last. */
const [nameTag, packageTag, syntaxField] = [0x0a, 0x12, 12];
const suffix = ".proto";

/** Of packages that begin with one of `packages`, as protobuf's C++ library keeps them: serialized, the name first. */
export function envoyDescriptors(
  binary: Buffer,
  packages: readonly string[],
): FileDescriptorProto[] {
  const end = Buffer.from([...Buffer.from(suffix), packageTag]);
  const found: FileDescriptorProto[] = [];
  for (let at = binary.indexOf(end); at !== -1; at = binary.indexOf(end, at + 1)) {
    const start = nameStart(binary, at + suffix.length);
    if (start === undefined) continue;
    const path = binary.toString("latin1", start, at).replaceAll("/", ".");
    if (packages.some((each) => path.startsWith(each))) found.push(descriptorAt(binary, start - 2));
  }
  return found;
}

/** Where a name begins that ends at `end`: after its tag and its length. */
function nameStart(binary: Buffer, end: number): number | undefined {
  for (let length = suffix.length; length < 0x80; length++) {
    const start = end - length;
    if (binary[start - 1] === length && binary[start - 2] === nameTag) return start;
  }
  return undefined;
}

function descriptorAt(binary: Buffer, start: number): FileDescriptorProto {
  const reader = new BinaryReader(binary.subarray(start));
  for (let field = 0; field !== syntaxField;) {
    const [number, wireType] = reader.tag();
    reader.skip(wireType, number);
    field = number;
  }
  return fromBinary(FileDescriptorProtoSchema, binary.subarray(start, start + reader.pos));
}

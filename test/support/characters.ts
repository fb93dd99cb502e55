import fc from 'fast-check';

/** Any Unicode character, except for half a surrogate pair. fast-check's unit `binary` is the same, and takes a second to make. */
export const anyCharacter = fc
  .oneof(
    fc.integer({ min: 0, max: 0xff }),
    fc.integer({ min: 0x100, max: 0xd7ff }),
    fc.integer({ min: 0xe000, max: 0x10ffff }),
  )
  .map((codePoint) => String.fromCodePoint(codePoint));

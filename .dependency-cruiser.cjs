// The floors of the house, lowest first. A room imports only from lower floors; rooms on one floor do not
// import each other. docs/design.md shows the picture.
const floors = [
  ['errors', 'native', 'files', 'network', 'random', 'progress'],
  ['tensor', 'corpus', 'tokenizer'],
  ['curate', 'shards', 'model'],
  ['train', 'eval', 'synth'],
  ['mixture'],
  ['recipe', 'report', 'serve'],
  ['cli'],
]

const inRooms = (rooms) => `^src/(${rooms.join('|')})(/|\\.ts$)`

/** For every room: what stands on its own floor (itself excepted) or above is forbidden to it. */
const floorRules = floors.flatMap((rooms, floor) =>
  rooms.map((room) => {
    const foundation = floor === 0
    const above = floors.slice(floor + 1).flat()
    const beside = foundation ? [] : rooms.filter((other) => other !== room)
    return {
      name: `floor-of-${room}`,
      severity: 'error',
      comment: `${room} may import only from the floors below it`,
      from: { path: inRooms([room]) },
      to: { path: inRooms([...above, ...beside]) },
    }
  }),
)

module.exports = {
  forbidden: [
    ...floorRules.filter((rule) => rule.to.path !== inRooms([])),
    { name: 'no-circles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'rooms-by-their-door',
      severity: 'error',
      comment: 'tests aside, one room reads another through its index.ts',
      from: { path: '^src/([^/]+)/' },
      to: {
        path: '^src/(?!errors|native|files|network|random|progress)([^/]+)/',
        pathNot: ['^src/$1/', '/index\\.ts$'],
      },
    },
    {
      name: 'src-knows-no-test',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(test|bench|examples|web)/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { extensions: ['.ts', '.js'] },
  },
}

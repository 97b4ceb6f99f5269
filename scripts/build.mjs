// Builds what is asked for (native, ts, web; all when nothing is named) into native/smolforge.node and dist/.
import { buildNative, buildTypeScript, buildWeb, checkTools } from './steps.mjs'

const wanted = new Set(process.argv.slice(2))
const all = wanted.size === 0
checkTools()
if (all || wanted.has('native')) buildNative()
if (all || wanted.has('web')) buildWeb()
if (all || wanted.has('ts')) buildTypeScript()

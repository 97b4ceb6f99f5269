import '../theme.css'
import './style.css'
import { Page } from './page.tsx'
import { showReport } from './show.tsx'

showReport(Page, { what: 'run', command: 'smolforge report' })

import '../theme.css'
import '../report/style.css'
import './style.css'
import { showReport } from '../report/show.tsx'
import { Page } from './page.tsx'

showReport(Page, { what: 'classifier', command: 'smolforge classifier train' })

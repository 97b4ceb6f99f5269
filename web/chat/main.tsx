import { render } from 'preact'
import '../theme.css'
import './style.css'
import { ChatPage } from './page.tsx'

const place = document.getElementById('page')
if (place !== null) render(<ChatPage />, place)

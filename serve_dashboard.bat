@echo off
rem Serves the dashboard; arguments are those of serve_dashboard.py
cd /d "%~dp0"
where py >nul 2>nul && (py -3 serve_dashboard.py %*) || (python serve_dashboard.py %*)
exit /b %errorlevel%
